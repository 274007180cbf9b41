//! Who this is, where the server wants to know it.

import { ASKED } from './api';

class Session {
  /** `asked`: nobody is let in without a login. Whatever else the server answers is the console's to show. */
  state = $state<'waiting' | 'asked' | 'in'>('waiting');
  /** Nobody, where the server asks nobody. */
  user = $state<string | null>(null);
  #wasIn = false;

  start(): () => void {
    const asked = () => (this.state = 'asked');
    window.addEventListener(ASKED, asked);
    void this.look();
    return () => window.removeEventListener(ASKED, asked);
  }

  async look(): Promise<void> {
    const answer = await fetch('/v1/session', { cache: 'no-store' }).catch(() => null);
    if (answer?.status === 401) {
      this.state = 'asked';
    } else if (answer?.ok) {
      const told = (await answer.json().catch(() => ({}))) as { user?: string | null };
      this.#comesIn(told.user ?? null);
    } else if (this.state === 'waiting') {
      this.#comesIn(null);
    }
  }

  #comesIn(user: string | null): void {
    // What another user has seen is not for this one.
    if (this.#wasIn && user !== this.user) return location.reload();
    this.#wasIn = true;
    this.user = user;
    this.state = 'in';
  }

  /** Ends the login; what was shown goes with it. */
  async leave(): Promise<void> {
    const answer = await fetch('/v1/session', { method: 'DELETE', headers: { 'content-type': 'application/json' } }).catch(() => null);
    if (answer) location.assign('/');
  }
}

export const session = new Session();
