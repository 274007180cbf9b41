//! The one event stream of the page: what time and epoch the server is at, and whether it is there.
//! Every other request is driven by its ticks, so a server that is gone is asked for nothing else.

import type { Tick } from './api';

/** The server promises a tick each second; three missed ones mean that it is gone. */
const SILENCE_LIMIT_MS = 3_500;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_LIMIT_MS = 4_000;

export type LinkState = 'connecting' | 'live' | 'gone' | 'resting';

export interface Restart {
  incarnation: number;
  epoch: number;
  atMs: number;
}

/** What belongs to one snapshot. */
export interface Cut {
  incarnation: number;
  epoch: number;
  as_of_ms: number;
}

/** Epochs whose last tick is remembered: some ten seconds of them. */
const EPOCHS_KEPT = 48;

type Listener = (tick: Tick) => void;

class Connection {
  state = $state<LinkState>('connecting');
  tick = $state.raw<Tick | null>(null);
  /** The server's clock as this browser knows it; moves with ticks, and each second without. */
  nowMs = $state(Date.now());
  /** Server time of the last tick before it went silent. */
  goneSinceMs = $state<number | null>(null);
  retryAtMs = $state<number | null>(null);
  restart = $state.raw<Restart | null>(null);

  #source: EventSource | null = null;
  #listeners = new Set<Listener>();
  #skewMs = 0;
  /** Server time of the last tick of each of the latest epochs: until then, it was the newest. */
  #lastTick = new Map<number, number>();
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #silence: ReturnType<typeof setTimeout> | null = null;
  #clock: ReturnType<typeof setInterval> | null = null;

  start(): () => void {
    const seen = () => (document.hidden ? this.#rest() : this.tryNow());
    document.addEventListener('visibilitychange', seen);
    window.addEventListener('online', seen);
    this.#clock = setInterval(() => {
      if (!document.hidden) this.nowMs = Date.now() + this.#skewMs;
    }, 1_000);
    if (document.hidden) this.state = 'resting';
    else this.#open();
    return () => {
      document.removeEventListener('visibilitychange', seen);
      window.removeEventListener('online', seen);
      if (this.#clock) clearInterval(this.#clock);
      this.#close();
    };
  }

  onTick(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tryNow(): void {
    if (this.state === 'live' && this.#source) return;
    this.#attempt = 0;
    this.#open();
  }

  /**
   * Until when a snapshot is known to have been the newest. A server to which nothing comes begins no epoch:
   * what it has is then old, and yet as of now.
   */
  asOf(cut: Cut): number {
    const tick = this.tick;
    if (!tick || tick.incarnation !== cut.incarnation) return cut.as_of_ms;
    if (cut.epoch >= tick.epoch) return Math.max(cut.as_of_ms, tick.now_ms);
    return Math.max(cut.as_of_ms, this.#lastTick.get(cut.epoch) ?? 0);
  }

  dismissRestart(): void {
    this.restart = null;
  }

  #open(): void {
    this.#close();
    if (this.state === 'resting') this.state = 'connecting';
    this.retryAtMs = null;
    const source = new EventSource('/v1/console/events');
    this.#source = source;
    source.addEventListener('tick', (event) => this.#take(event as MessageEvent<string>));
    source.onerror = () => this.#lost();
    this.#watchSilence();
  }

  #take(event: MessageEvent<string>): void {
    const tick = JSON.parse(event.data) as Tick;
    const before = this.tick;
    this.#attempt = 0;
    this.#skewMs = tick.now_ms - Date.now();
    this.nowMs = tick.now_ms;
    if (before && before.incarnation !== tick.incarnation) {
      this.restart = { incarnation: tick.incarnation, epoch: tick.epoch, atMs: tick.now_ms };
    }
    if (before?.incarnation !== tick.incarnation) this.#lastTick.clear();
    this.#lastTick.delete(tick.epoch);
    this.#lastTick.set(tick.epoch, tick.now_ms);
    for (const epoch of this.#lastTick.keys()) if (this.#lastTick.size > EPOCHS_KEPT) this.#lastTick.delete(epoch);
    this.tick = tick;
    this.state = 'live';
    this.goneSinceMs = null;
    this.#watchSilence();
    for (const listener of this.#listeners) listener(tick);
  }

  #watchSilence(): void {
    if (this.#silence) clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(), SILENCE_LIMIT_MS);
  }

  #lost(): void {
    this.#close();
    if (document.hidden) {
      this.state = 'resting';
      return;
    }
    this.state = 'gone';
    this.goneSinceMs ??= this.tick?.now_ms ?? Date.now();
    const wait = Math.min(BACKOFF_LIMIT_MS, BACKOFF_FIRST_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    // A fifth of jitter, so that many open pages do not return in one instant.
    const waitMs = wait * (0.9 + Math.random() * 0.2);
    this.retryAtMs = Date.now() + this.#skewMs + waitMs;
    this.#retry = setTimeout(() => this.#open(), waitMs);
  }

  /** A hidden page holds no connection: browsers allow six to one address. */
  #rest(): void {
    this.#close();
    this.state = 'resting';
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
    if (this.#retry) clearTimeout(this.#retry);
    if (this.#silence) clearTimeout(this.#silence);
    this.#retry = null;
    this.#silence = null;
  }
}

export const connection = new Connection();
