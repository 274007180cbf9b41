//! What the panels of a dashboard show, pushed by the server over one stream: a line for each answer that is another one.
//! Invariants: one stream at most, none while the page is hidden or the server gone; a paused page gets each answer once; an old
//! answer stays until a newer one is here.

import { flushSync, untrack } from 'svelte';
import { Refused, watch, type Answer, type Question, type Refusal, type Watched } from './api';
import { connection, type Cut } from './connection.svelte';

/** Questions that change together are asked together. */
const SETTLE_MS = 30;
/** The server says something each second: a stream that is silent for so long is lost. */
const SILENT_MS = 30_000;
/** What drawing takes of a frame. */
const FRAME_MS = 8;

/** What is known of one panel. */
export class Feed {
  answer = $state.raw<Answer | undefined>(undefined);
  refusal = $state.raw<Refusal | null>(null);
  /** The newest snapshot for which the answer holds. */
  cut = $state.raw<Cut | null>(null);
  /** The time range of the answer, in ms of the server's clock. */
  range = $state.raw<[number, number]>([0, 1]);
}

export class Watch {
  #feeds = new Map<string, Feed>();
  #questions = new Map<string, Question>();
  #paused = false;
  #running = false;
  #flight: AbortController | null = null;
  /** What the stream was asked, and for what all answers are here. */
  #asked = '';
  #answered = '';
  #heardAt = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** The newest answer of each panel that is not drawn yet. */
  #undrawn = new Map<string, Watched>();
  #frame = 0;

  start(): () => void {
    this.#running = true;
    const stop = connection.onTick(() => this.#due());
    const hidden = () => { if (document.hidden) this.#close(); };
    document.addEventListener('visibilitychange', hidden);
    return () => {
      this.#running = false;
      stop();
      document.removeEventListener('visibilitychange', hidden);
      if (this.#timer) clearTimeout(this.#timer);
      this.#timer = null;
      cancelAnimationFrame(this.#frame);
      this.#close();
    };
  }

  feed(id: string): Feed {
    const known = this.#feeds.get(id);
    if (known) return known;
    const made = new Feed();
    this.#feeds.set(id, made);
    return made;
  }

  /** What a panel wants to know from now on; null: nothing, or not yet. */
  ask(id: string, question: Question | null): void {
    if (JSON.stringify(this.#questions.get(id) ?? null) === JSON.stringify(question)) return;
    if (question) this.#questions.set(id, question);
    else this.#questions.delete(id);
    this.#soon();
  }

  forget(id: string): void {
    this.#questions.delete(id);
    this.#feeds.delete(id);
    this.#soon();
  }

  pause(on: boolean): void {
    if (this.#paused === on) return;
    this.#paused = on;
    // What is on its way comes in; then there is nothing.
    this.#close();
    this.#soon();
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.#running && connection.state !== 'gone') this.#due();
    }, SETTLE_MS);
  }

  #due(): void {
    if (document.hidden || this.#timer) return;
    const wanted = JSON.stringify([...this.#questions.values()]);
    if (this.#flight && performance.now() - this.#heardAt > SILENT_MS) this.#close();
    if (this.#flight && this.#asked === wanted) return;
    if (this.#paused && this.#answered === wanted) return this.#close();
    this.#close();
    if (this.#questions.size > 0) untrack(() => void this.#open(wanted));
  }

  async #open(wanted: string): Promise<void> {
    const flight = new AbortController();
    this.#flight = flight;
    this.#asked = wanted;
    this.#heardAt = performance.now();
    const missing = new Set(this.#questions.keys());
    try {
      for await (const lines of watch([...this.#questions.values()], this.#paused, flight.signal)) {
        if (flight.signal.aborted) return;
        this.#heardAt = performance.now();
        for (const line of lines) {
          this.#take(line);
          if (line.panel !== undefined) missing.delete(line.panel);
        }
        if (missing.size === 0) this.#answered = wanted;
      }
    } catch (error) {
      if (flight.signal.aborted) return;
      // An unreachable server is the banner's matter: the panels keep what they have.
      if (error instanceof Refused) for (const feed of this.#feeds.values()) feed.refusal = error.refusal;
    } finally {
      if (this.#flight === flight) this.#flight = null;
    }
  }

  #take(line: Watched): void {
    if (line.panel !== undefined) {
      this.#undrawn.set(line.panel, line);
      this.#frame ||= requestAnimationFrame(() => this.#draw());
      return;
    }
    const { same, ...at } = line;
    for (const id of same ?? []) {
      const undrawn = this.#undrawn.get(id);
      if (undrawn) Object.assign(undrawn, at);
      else this.#show(id, at);
    }
  }

  /** As many panels as fit into a frame, at least one: twelve charts at once would hold up the page. */
  #draw(): void {
    this.#frame = 0;
    const begun = performance.now();
    for (const [id, line] of this.#undrawn) {
      this.#undrawn.delete(id);
      this.#show(id, line);
      flushSync();
      if (performance.now() - begun > FRAME_MS) break;
    }
    if (this.#undrawn.size > 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #show(id: string, line: Watched): void {
    const feed = this.#feeds.get(id);
    if (!feed) return;
    if (line.error) {
      feed.refusal = line.error;
      return;
    }
    const { incarnation, epoch, as_of_ms } = line;
    feed.cut = { incarnation, epoch, as_of_ms };
    feed.range = [line.from_ms, line.to_ms];
    feed.refusal = null;
    if (line.data) feed.answer = { incarnation, epoch, as_of_ms, ...line.data };
  }

  #close(): void {
    this.#flight?.abort();
    this.#flight = null;
  }
}
