//! Texts that the reader keeps in this browser. The one that is open stands in the address too, so that a link has it.

export interface Scratch {
  name: string;
  text: string;
}

const KEY = 'arus.scratch';
const LIMIT = 30;
/** A longer text does not go into the address. */
export const LINK_LIMIT = 6_000;

function recall(): { open: string; all: Scratch[] } {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? 'null') as { open: string; all: Scratch[] } | null;
    if (kept && Array.isArray(kept.all)) return kept;
  } catch {
    // Nothing that can be read is nothing kept.
  }
  return { open: '', all: [] };
}

class Scratches {
  all = $state.raw<Scratch[]>(recall().all);
  open = $state(recall().open);
  /** What this page has changed or removed: of everything else, another page may have newer. */
  #touched = new Set<string>();
  #removed = new Set<string>();

  get text(): string {
    return this.all.find((each) => each.name === this.open)?.text ?? '';
  }

  /** The text of a link: one that is kept already, or a new one beside the others. */
  show(text: string): void {
    const same = this.all.find((each) => each.text === text);
    if (same) this.choose(same.name);
    else this.add(text);
  }

  add(text = ''): void {
    const blank = this.all.find((each) => each.text.trim() === '');
    if (blank) {
      this.open = blank.name;
      this.write(text);
      return;
    }
    const names = new Set([...this.all, ...recall().all].map((each) => each.name));
    let n = 1;
    while (names.has(`untitled ${n}`)) n += 1;
    this.open = `untitled ${n}`;
    this.all = [...this.all, { name: this.open, text }].slice(-LIMIT);
    this.#touched.add(this.open);
    this.#removed.delete(this.open);
    this.#keep();
  }

  choose(name: string): void {
    this.open = name;
    this.#keep();
  }

  write(text: string): void {
    if (!this.all.some((each) => each.name === this.open)) {
      if (text === '') return;
      this.open = '';
      this.add(text);
      return;
    }
    this.all = this.all.map((each) => (each.name === this.open ? { ...each, text } : each));
    this.#touched.add(this.open);
    this.#keep();
  }

  remove(name: string): void {
    const at = this.all.findIndex((each) => each.name === name);
    this.all = this.all.filter((each) => each.name !== name);
    this.#removed.add(name);
    if (this.open === name) this.open = this.all[Math.min(at, this.all.length - 1)]?.name ?? '';
    this.#keep();
  }

  #keep(): void {
    const kept = recall().all.filter((each) => !this.#removed.has(each.name));
    const mine = new Set(this.all.map((each) => each.name));
    this.all = [...this.all.map((each) => (this.#touched.has(each.name) ? each : (kept.find((other) => other.name === each.name) ?? each))), ...kept.filter((each) => !mine.has(each.name))];
    try {
      localStorage.setItem(KEY, JSON.stringify({ open: this.open, all: this.all }));
    } catch {
      // A browser that keeps nothing has them until the page is closed.
    }
  }
}

export const scratches = new Scratches();
