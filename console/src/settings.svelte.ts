//! What the reader chose, kept in this browser: theme and time zone.

import { day } from './format';

const THEME_KEY = 'arus.theme';
const ZONE_KEY = 'arus.zone';

type Theme = 'light' | 'dark';

const BROWSER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing shows the choice until the page is closed.
  }
}

/** Whether this browser knows the zone's name. */
export function isZone(name: string): boolean {
  try {
    day(0, name);
    return true;
  } catch {
    return false;
  }
}

class Settings {
  theme = $state<Theme>(document.documentElement.dataset['theme'] === 'dark' ? 'dark' : 'light');
  #utc = $state(recall(ZONE_KEY) === 'UTC');
  /** A dashboard's own zone, while it is open. */
  zoneOfPage = $state<string | null>(null);

  get zone(): string {
    return this.zoneOfPage ?? (this.#utc ? 'UTC' : BROWSER_ZONE);
  }

  get zoneIsFixed(): boolean {
    return this.zoneOfPage !== null;
  }

  constructor() {
    // Until the reader chooses, the page goes with the system.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (system) => {
      if (recall(THEME_KEY) === null) this.#show(system.matches ? 'dark' : 'light');
    });
  }

  toggleTheme(): void {
    this.#show(this.theme === 'dark' ? 'light' : 'dark');
    keep(THEME_KEY, this.theme);
  }

  #show(theme: Theme): void {
    this.theme = theme;
    document.documentElement.dataset['theme'] = theme;
  }

  toggleZone(): void {
    this.#utc = !this.#utc;
    keep(ZONE_KEY, this.#utc ? 'UTC' : 'browser');
  }
}

export const settings = new Settings();
