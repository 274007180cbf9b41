//! The shapes that the server speaks and the few requests of the console. Nothing here keeps state.

export interface Tick {
  incarnation: number;
  epoch: number;
  durable_epoch: number;
  now_ms: number;
  checkpoint_age_ms: number;
}

export type Cell = string | number | boolean | null | Cell[] | { [key: string]: Cell };

export interface Column {
  name: string;
  type: string;
}

/** Rows of one snapshot: all of them belong to `epoch` of `incarnation`. */
export interface Answer {
  incarnation: number;
  epoch: number;
  as_of_ms: number;
  columns: Column[];
  rows: Cell[][];
  /** The server has left out points that a panel has no pixels for. */
  thinned?: Thinned | undefined;
}

/** Of the whole series: its rows, the usual distance of two moments, and where nothing was for longer. */
export interface Thinned {
  rows: number;
  step_ms: number;
  gaps: [number, number][];
}

export interface ServerInfo {
  version: string;
  name: string;
  started_ms: number;
  incarnation: number;
  doors: Record<string, string>;
  cores: number;
  memory: { used_bytes: number; budget_bytes: number };
  disk: { used_bytes: number; free_bytes: number; limit_bytes?: number | null; state?: string };
}

export interface DashboardName {
  name: string;
  title: string;
  /** Where it is written; null where a project has brought it. */
  file: string | null;
  /** What is wrong in its text. */
  error?: string;
}

export type ChartKind = 'line' | 'area' | 'bar' | 'stacked' | 'value' | 'gauge' | 'top' | 'heatmap' | 'histogram' | 'table' | 'map';

export interface PanelSpec {
  id: string;
  title?: string | undefined;
  /** Column, row, width, height. */
  at: [number, number, number, number];
  chart: ChartKind;
  sql: string;
  x?: string | undefined;
  series?: string | undefined;
  y: { field: string; unit?: string | undefined; min?: number | undefined; max?: number | undefined; decimals?: number | undefined; warn?: number | undefined; critical?: number | undefined };
}

export interface VariableSpec {
  sql?: string | undefined;
  values?: string[] | undefined;
  multi?: boolean | undefined;
  label?: string | undefined;
  default?: string[] | undefined;
}

export interface DashboardSpec {
  arus: string;
  title: string;
  time: { last?: string | undefined; zone?: string | undefined };
  variables: Record<string, VariableSpec>;
  panels: PanelSpec[];
}

/** A dashboard's text as it was read; another text has another tag. */
export interface DashboardFile {
  name: string;
  text: string;
  tag: string;
  file: string | null;
}

/** What the server refused, in its own words. */
export interface Refusal {
  kind: string;
  message: string;
  line?: number | null;
  column?: number | null;
  length?: number | null;
  hint?: string | null;
}

/** The server answered, and the answer is no. */
export class Refused extends Error {
  readonly status: number;
  readonly refusal: Refusal;
  constructor(status: number, refusal: Refusal) {
    super(refusal.message);
    this.status = status;
    this.refusal = refusal;
  }
}

/** The file is not what was seen of it, and was not written. */
export class Conflict extends Error {
  readonly there: DashboardFile | null;
  constructor(there: DashboardFile | null) {
    super('the file has changed');
    this.there = there;
  }
}

/** No answer came: the server is gone, or something between. */
export class Unreachable extends Error {}

/** A request that takes longer than this is given up, so that one lost answer never stops a panel. */
const REQUEST_LIMIT_MS = 20_000;

/** Told to the window when the server wants to know who this is. */
export const ASKED = 'arus:asked';

async function ask<T>(path: string, signal: AbortSignal, body?: unknown): Promise<T> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_LIMIT_MS)]);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: limit,
      cache: 'no-store',
    });
    text = await response.text();
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new Unreachable('no answer from the server', { cause });
  }
  if (response.ok) return JSON.parse(text) as T;
  throw refusalOf(response, text);
}

function refusalOf(response: Response, text: string): Error {
  if (response.status === 401) globalThis.dispatchEvent?.(new Event(ASKED));
  try {
    const parsed = JSON.parse(text) as { error?: Refusal };
    if (parsed.error?.message) return new Refused(response.status, parsed.error);
  } catch {
    // Not the server's own shape: said below with what is known.
  }
  if (response.status >= 502) return new Unreachable(`the server answered ${response.status}`);
  const message = text.trim().slice(0, 300) || `the server answered ${response.status}`;
  return new Refused(response.status, { kind: 'External', message });
}

/** A line of an answer of /v1/sql: a row, or what the object says. */
export type Line = Cell[] | { op?: string; row?: Cell[]; columns?: string[]; note?: string; ok?: boolean; job?: string | null; notices?: string[]; error?: Refusal };

/** A statement's answer as it comes, some lines at a time. It ends with the statement, or with the signal. */
export function stream(sql: string, live: boolean, signal: AbortSignal): AsyncGenerator<Line[]> {
  return lines<Line>('/v1/sql', { sql, stream: live, arrays: true }, signal);
}

/** What a panel wants to know: a statement over the time range that ends now. */
export interface Question {
  id: string;
  sql: string;
  params: Params;
  last_ms: number;
  /** A series over time, for so many pixels. */
  thin?: { x: string; y: string; series?: string | undefined; points: number; stacked: boolean } | undefined;
}

/** An answer that is another one, or the word that those of before hold. */
export interface Watched {
  panel?: string;
  same?: string[];
  incarnation: number;
  epoch: number;
  as_of_ms: number;
  from_ms: number;
  to_ms: number;
  data?: { columns: Column[]; rows: Cell[][]; thinned?: Thinned };
  error?: Refusal;
}

/** The answers of panels as they change; with `once`, each of them once. */
export function watch(panels: Question[], once: boolean, signal: AbortSignal): AsyncGenerator<Watched[]> {
  return lines<Watched>('/v1/console/watch', { panels, once }, signal);
}

async function* lines<T>(path: string, body: unknown, signal: AbortSignal): AsyncGenerator<T[]> {
  let response: Response;
  try {
    response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal, cache: 'no-store' });
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new Unreachable('no answer from the server', { cause });
  }
  if (!response.ok) throw refusalOf(response, await response.text());
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const part = await reader.read().catch((cause: unknown) => {
      if (signal.aborted) throw cause;
      throw new Unreachable('the answer broke off', { cause });
    });
    rest += part.value ?? '';
    const cut = part.done ? rest.length : rest.lastIndexOf('\n');
    const whole = cut > 0 ? rest.slice(0, cut).trim() : '';
    // One text of all lines: a line break never stands inside of a line.
    if (whole) yield JSON.parse(`[${whole.replace(/\n+/g, ',')}]`) as T[];
    if (part.done) return;
    rest = rest.slice(cut + 1);
  }
}

/** Runs a statement to its end: its rows, or what it has to say. */
export async function execute(sql: string, signal: AbortSignal): Promise<{ columns: string[]; rows: Cell[][]; notices: string[] }> {
  let columns: string[] = [];
  const rows: Cell[][] = [];
  let notices: string[] = [];
  for await (const lines of stream(sql, false, signal)) {
    for (const line of lines) {
      if (Array.isArray(line)) rows.push(line);
      else if (line.error) throw new Refused(200, line.error);
      else if (line.columns) columns = line.columns;
      else if (line.notices) notices = line.notices;
    }
  }
  return { columns, rows, notices };
}

export interface Suggestion {
  text: string;
  kind: string;
  detail: string;
}

/** What may be typed between two texts; `replace` characters before the cursor go for it. */
export function complete(before: string, after: string, signal: AbortSignal): Promise<{ replace: number; suggestions: Suggestion[] }> {
  return ask('/v1/complete', signal, { before, after });
}

export type Params = Record<string, string | number | boolean | null | string[]>;

export function query(sql: string, params: Params, signal: AbortSignal): Promise<Answer> {
  return ask<Answer>('/v1/console/query', signal, { sql, params });
}

export function newest(name: string, limit: number, signal: AbortSignal): Promise<Answer> {
  return ask<Answer>(`/v1/console/tables/${encodeURIComponent(name)}/newest?limit=${limit}`, signal);
}

export function serverInfo(signal: AbortSignal): Promise<ServerInfo> {
  return ask<ServerInfo>('/v1/console/server', signal);
}

export function dashboardNames(signal: AbortSignal): Promise<DashboardName[]> {
  return ask<DashboardName[]>('/v1/console/dashboards', signal);
}

/** As the server read it: forgiveness for what is missing in it is the page's matter. */
export function dashboard(name: string, signal: AbortSignal): Promise<unknown> {
  return ask<unknown>(`/v1/console/dashboards/${encodeURIComponent(name)}`, signal);
}

const fileOf = (name: string): string => `/v1/console/dashboards/${encodeURIComponent(name)}/file`;

export function dashboardFile(name: string, signal: AbortSignal): Promise<DashboardFile> {
  return ask<DashboardFile>(fileOf(name), signal);
}

/** Writes it if it still has this tag; null: if there is none of this name. */
export function saveDashboard(name: string, text: string, tag: string | null): Promise<DashboardFile> {
  return change<DashboardFile>(name, 'PUT', tag, JSON.stringify({ text }));
}

export function removeDashboard(name: string, tag: string): Promise<null> {
  return change<null>(name, 'DELETE', tag, null);
}

async function change<T>(name: string, method: string, tag: string | null, body: string | null): Promise<T> {
  let response: Response;
  let answer: string;
  try {
    const seen: Record<string, string> = tag === null ? { 'if-none-match': '*' } : { 'if-match': `"${tag}"` };
    response = await fetch(fileOf(name), { method, headers: { 'content-type': 'application/json', ...seen }, body, signal: AbortSignal.timeout(REQUEST_LIMIT_MS), cache: 'no-store' });
    answer = await response.text();
  } catch (cause) {
    throw new Unreachable('no answer from the server', { cause });
  }
  if (response.ok) return JSON.parse(answer) as T;
  if (response.status === 412) throw new Conflict((JSON.parse(answer) as { there: DashboardFile | null }).there);
  throw refusalOf(response, answer);
}

/** Rows as objects by column name; a column that this server does not have is simply absent. */
export function records(answer: Answer): Record<string, Cell>[] {
  return answer.rows.map((row) => {
    const record: Record<string, Cell> = {};
    answer.columns.forEach((column, i) => {
      record[column.name] = row[i] ?? null;
    });
    return record;
  });
}
