//! One run of a statement: rows as they come, newest last, until it ends or is cancelled.
//! What is shown moves at most four times a second, however fast rows come.

import { Refused, stream, Unreachable, type Cell, type Column, type Line, type Refusal } from '../wire/api';

export type Action = 'preview' | 'run';
export type RunState = 'running' | 'ended' | 'cancelled' | 'failed';

export interface Change {
  /** Counts the changes of the run. */
  n: number;
  op: string;
  row: Cell[];
}

/** Older rows of a result go for newer ones. */
export const ROWS_KEPT = 1_000_000;
const SHOW_EVERY_MS = 250;
/** Reading and parsing give way to the page after so long. */
const SLICE_MS = 40;
const SAMPLE = 200;

export class Run {
  state = $state<RunState>('running');
  columns = $state.raw<Column[]>([]);
  /** The result as it is now: a changed row keeps its place. */
  rows = $state.raw<Change[]>([]);
  /** What was told, in order. */
  changes = $state.raw<Change[]>([]);
  total = $state(0);
  updating = $state(false);
  paused = $state(false);
  refusal = $state.raw<Refusal | null>(null);
  /** Why no row has come, in the server's words. */
  note = $state<string | null>(null);
  notices = $state.raw<string[]>([]);
  job = $state<string | null>(null);
  tookMs = $state(0);
  /** The statement changed something, rather than giving rows. */
  done = $state(false);
  /** The changes up to this one were shown before the last ones came. */
  seen = $state(0);

  readonly action: Action;
  readonly title: string;
  readonly sql: string;
  readonly startedAt = performance.now();
  #names: string[] = [];
  #kept = new Map<number, Change>();
  #byText = new Map<string, number[]>();
  #log: Change[] = [];
  #keyed = false;
  #first = 0;
  #replaced: number[] = [];
  #n = 0;
  #shown = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #flight = new AbortController();

  constructor(action: Action, title: string, sql: string) {
    this.action = action;
    this.title = title;
    this.sql = sql;
  }

  async start(place: (refusal: Refusal) => Refusal): Promise<void> {
    let sliceAt = performance.now();
    try {
      for await (const lines of stream(this.sql, this.action === 'preview', this.#flight.signal)) {
        for (const line of lines) this.#take(line);
        this.#due();
        if (performance.now() - sliceAt > SLICE_MS) {
          await new Promise((wake) => setTimeout(wake, 0));
          sliceAt = performance.now();
        }
      }
      this.#end('ended');
    } catch (error) {
      if (this.#flight.signal.aborted) return;
      if (error instanceof Refused) this.refusal = place(error.refusal);
      else if (error instanceof Unreachable) this.refusal = { kind: 'External', message: 'the server went away while the statement ran', hint: 'what came before stays; run it again when the server is back' };
      else throw error;
      this.#end('failed');
    }
  }

  cancel(): void {
    if (this.state !== 'running') return;
    this.#flight.abort();
    this.#end('cancelled');
  }

  pause(): void {
    this.paused = !this.paused;
    if (!this.paused) this.#show();
  }

  #take(line: Line): void {
    if (Array.isArray(line)) this.#add('', line);
    else if (line.error) throw new Refused(200, line.error);
    else if (line.row) this.#add(line.op ?? '', line.row);
    else if (line.columns) this.#names = line.columns;
    else if (line.note) {
      this.note = line.note;
      this.notices = [...this.notices.filter((notice) => notice !== line.note), line.note].slice(-20);
    }
    else if (line.ok) {
      this.done = true;
      this.job = line.job ?? null;
      this.notices = line.notices ?? [];
    }
  }

  #add(op: string, row: Cell[]): void {
    this.#n += 1;
    const change = { n: this.#n, op, row };
    if (op.startsWith('-') && !this.#keyed) this.#keep();
    this.#log.push(change);
    if (this.#keyed) this.#apply(change);
  }

  /** Rows that are only appended are the log itself; from the first change of one on, each has a place. */
  #keep(): void {
    this.#keyed = true;
    this.updating = true;
    this.#first = this.#log[0]?.n ?? this.#n;
    for (const change of this.#log) this.#apply(change);
  }

  #apply(change: Change): void {
    const { op } = change;
    const text = JSON.stringify(change.row);
    if (op.startsWith('-')) {
      const places = this.#byText.get(text);
      const place = places?.pop();
      if (places?.length === 0) this.#byText.delete(text);
      // A row that has gone to make room is not known any more: its successor is new.
      if (op === '-U') this.#replaced.push(place ?? 0);
      else if (place !== undefined) this.#kept.delete(place);
      return;
    }
    const place = (op === '+U' && this.#replaced.shift()) || change.n;
    this.#kept.set(place, change);
    const places = this.#byText.get(text);
    if (places) places.push(place);
    else this.#byText.set(text, [place]);
    if (this.#kept.size > ROWS_KEPT) this.#forget();
  }

  #forget(): void {
    // Places only rise, so the search for the oldest never turns back.
    while (!this.#kept.has(this.#first)) this.#first += 1;
    const oldest = this.#kept.get(this.#first);
    const text = JSON.stringify(oldest?.row);
    const places = this.#byText.get(text)?.filter((place) => place !== this.#first) ?? [];
    if (places.length > 0) this.#byText.set(text, places);
    else this.#byText.delete(text);
    this.#kept.delete(this.#first);
  }

  #due(): void {
    const tillMs = this.#shown + SHOW_EVERY_MS - performance.now();
    if (tillMs <= 0) this.#show();
    else this.#timer ??= setTimeout(() => this.#show(), tillMs);
  }

  #show(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#shown = performance.now();
    this.tookMs = performance.now() - this.startedAt;
    this.total = this.#n;
    if (this.#log.length > ROWS_KEPT * 1.2) this.#log = this.#log.slice(-ROWS_KEPT);
    if (this.paused && this.state === 'running') return;
    this.seen = this.changes.at(-1)?.n ?? 0;
    this.changes = this.#log.slice(-ROWS_KEPT);
    this.rows = this.#keyed ? [...this.#kept.values()] : this.changes;
    this.columns = typed(this.#names, this.#log.slice(-SAMPLE));
  }

  #end(state: RunState): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.state = state;
    this.paused = false;
    this.#show();
  }
}

/** Types from what the values look like: a stream names its columns, not their types. */
export function typed(names: string[], sample: Change[]): Column[] {
  return names.map((name, i) => {
    const cells = sample.map((change) => change.row[i]).filter((cell) => cell !== null && cell !== undefined);
    const every = (test: (cell: Cell) => boolean) => cells.length > 0 && cells.every((cell) => test(cell as Cell));
    if (every((cell) => typeof cell === 'number')) return { name, type: every((cell) => Number.isInteger(cell)) ? 'int8' : 'float8' };
    if (every((cell) => typeof cell === 'number' || (typeof cell === 'string' && /^-?(\d+\.\d+|\d{16,})$/.test(cell)))) return { name, type: 'numeric' };
    if (every((cell) => typeof cell === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/.test(cell))) return { name, type: 'timestamptz' };
    if (every((cell) => typeof cell === 'string' && /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(cell))) return { name, type: 'timestamp' };
    return { name, type: 'text' };
  });
}
