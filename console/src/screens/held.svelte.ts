//! What was set aside goes once more: one REPLAY at a time, and what the server said of it.

import { execute, Refused } from '../wire/api';

export class Replay {
  /** What is going, by the name of its button. */
  going = $state<string | null>(null);
  said = $state('');
  bad = $state(false);
  #flight: AbortController | null = null;

  async start(which: string, sql: string): Promise<void> {
    if (this.going !== null) return;
    const flight = new AbortController();
    this.#flight = flight;
    this.going = which;
    this.said = '';
    try {
      const { notices } = await execute(sql, flight.signal);
      this.said = notices.length > 0 ? `${notices.join('; ')}.` : 'No row was there to go.';
      this.bad = false;
    } catch (error) {
      if (flight.signal.aborted) return;
      this.said = error instanceof Refused ? `${error.message}${error.refusal.hint ? `. ${error.refusal.hint}` : ''}` : 'no answer from the server; what went is in the list or in the table, never in neither';
      this.bad = true;
    } finally {
      this.going = null;
    }
  }

  stop(): void {
    this.#flight?.abort();
  }
}

/** Bytes as they came, as far as they are text. */
export function textOf(base64: unknown): string {
  if (typeof base64 !== 'string') return '';
  try {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return new TextDecoder().decode(bytes).replace(/[\u0000-\u001f\u007f]/g, '·');
  } catch {
    return base64;
  }
}
