//! Where the page is: the address bar is the only place that holds it.

class Route {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));
  hash = $state(location.hash);

  start(): () => void {
    const moved = () => this.#read();
    const click = (event: MouseEvent) => this.#follow(event);
    window.addEventListener('popstate', moved);
    document.addEventListener('click', click);
    return () => {
      window.removeEventListener('popstate', moved);
      document.removeEventListener('click', click);
    };
  }

  /** The path's parts, decoded: `/data/a%20b` is `['data', 'a b']`. */
  get parts(): string[] {
    return this.path.split('/').filter(Boolean).map(decode);
  }

  go(path: string): void {
    if (path === location.pathname + location.search + location.hash) return;
    history.pushState(null, '', path);
    this.#read();
  }

  /** Changes one search parameter in place: a choice on a page is not a step back. */
  choose(name: string, value: string | null): void {
    const url = new URL(location.href);
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
    history.replaceState(null, '', url);
    this.query = url.searchParams;
  }

  #read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
    this.hash = location.hash;
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.origin !== location.origin || (link.hash && link.pathname === location.pathname)) return;
    if (link.pathname.startsWith('/v1/')) return;
    event.preventDefault();
    this.go(link.pathname + link.search + link.hash);
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = new Route();

export const dataPath = (name: string): string => `/data/${encodeURIComponent(name)}`;
export const pipelinePath = (id: string): string => `/pipelines/${encodeURIComponent(id)}`;
export const dashboardPath = (name: string): string => `/dashboards/${encodeURIComponent(name)}`;
export const sqlPath = (text: string): string => `/sql?sql=${encodeURIComponent(text)}`;
