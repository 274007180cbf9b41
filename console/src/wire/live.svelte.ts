//! A question that is asked again as the server moves on.
//! Invariants: never more than one request in flight, never more often than `everyMs`, none while the
//! page is hidden, paused or the server gone; an old value stays until a newer one is here.

import { untrack } from 'svelte';
import { Refused, type Refusal } from './api';
import { connection } from './connection.svelte';

/** A slow question is asked less often: the server works on it at most a ninth of the time, */
const SLOWNESS = 8;
/** but not less often than this while it can be helped, so that what is shown stays fresh. */
const REST_LIMIT_MS = 2_000;
/** What may not be known is asked for again from time to time: a right may be given. */
const DENIED_REST_MS = 15_000;

export class Live<T> {
  value = $state.raw<T | undefined>(undefined);
  refusal = $state.raw<Refusal | null>(null);
  paused = $state(false);
  /** Counts the answers, for what must run once for each. */
  answers = $state(0);

  #ask: (signal: AbortSignal) => Promise<T>;
  #everyMs: number;
  #restMs = 0;
  #startedAt = -Infinity;
  #inFlight: AbortController | null = null;

  constructor(ask: (signal: AbortSignal) => Promise<T>, everyMs = 250) {
    this.#ask = ask;
    this.#everyMs = everyMs;
  }

  /** Runs until the returned function is called. Untracked: an effect that starts it must not run again for what the question reads. */
  start(): () => void {
    const stop = connection.onTick(() => this.#due());
    untrack(() => {
      if (connection.state !== 'gone' && !this.paused) void this.#run();
    });
    return () => {
      stop();
      this.#inFlight?.abort();
      this.#inFlight = null;
    };
  }

  get loading(): boolean {
    return this.value === undefined && this.refusal === null;
  }

  /** Asks at once, paused or not: the question itself has changed. */
  hurry(): void {
    this.#inFlight?.abort();
    this.#inFlight = null;
    untrack(() => void this.#run());
  }

  #due(): void {
    if (this.paused || document.hidden || this.#inFlight) return;
    // Ticks come about each 250 ms: a little early counts as on time.
    if (performance.now() - this.#startedAt + 20 < Math.max(this.#everyMs, this.#restMs)) return;
    void this.#run();
  }

  async #run(): Promise<void> {
    const flight = new AbortController();
    this.#inFlight = flight;
    this.#startedAt = performance.now();
    let denied = false;
    try {
      const value = await this.#ask(flight.signal);
      if (flight.signal.aborted) return;
      this.value = value;
      this.refusal = null;
      this.answers += 1;
    } catch (error) {
      if (flight.signal.aborted) return;
      // An unreachable server is the banner's matter: the panel keeps what it has.
      if (error instanceof Refused) {
        this.refusal = error.refusal;
        denied = error.status === 403;
      }
    } finally {
      const tookMs = performance.now() - this.#startedAt;
      if (this.#inFlight === flight) this.#inFlight = null;
      this.#restMs = denied ? DENIED_REST_MS : Math.max(tookMs * 3, Math.min(REST_LIMIT_MS, tookMs * (1 + SLOWNESS)));
    }
  }
}
