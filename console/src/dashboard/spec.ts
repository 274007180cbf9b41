//! What a dashboard's file says, read with forgiveness: a file may be written by hand, and a broken panel keeps no other from being shown.

import type { ChartKind, DashboardSpec, PanelSpec, VariableSpec } from '../wire/api';

export const COLUMNS = 12;
export const VERSION = 'dashboard/v1';

/** What a kind is called, and which fields of the answer it wants. */
export const KINDS: { kind: ChartKind; name: string; x: string | null; series: boolean; y: string }[] = [
  { kind: 'line', name: 'Line', x: 'Time', series: true, y: 'Value' },
  { kind: 'area', name: 'Area, stacked', x: 'Time', series: true, y: 'Value' },
  { kind: 'bar', name: 'Bars', x: 'Time or name', series: true, y: 'Value' },
  { kind: 'stacked', name: 'Bars, stacked', x: 'Time or name', series: true, y: 'Value' },
  { kind: 'value', name: 'Single value', x: 'Time of the sparkline', series: false, y: 'Value' },
  { kind: 'gauge', name: 'Gauge', x: null, series: false, y: 'Value' },
  { kind: 'top', name: 'Top list', x: 'Name', series: false, y: 'Value' },
  { kind: 'heatmap', name: 'Heat map', x: 'Time or name', series: true, y: 'Value' },
  { kind: 'histogram', name: 'Histogram', x: null, series: false, y: 'Value' },
  { kind: 'table', name: 'Table', x: null, series: false, y: 'Main column' },
  { kind: 'map', name: 'Map', x: 'Country, two letters', series: false, y: 'Value' },
];

const record = (value: unknown): Record<string, unknown> => (value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {});
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const number = (value: unknown): number | undefined => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);

/** Fields that are not there are not put. */
function some<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

export function specOf(value: unknown, name: string): DashboardSpec {
  const all = record(value);
  const time = record(all['time']);
  const panels = Array.isArray(all['panels']) ? all['panels'].map(panelOf) : [];
  const variables = Object.fromEntries(Object.entries(record(all['variables'])).map(([key, each]) => [key, variableOf(each)]));
  return { arus: String(all['arus'] ?? ''), title: text(all['title']) ?? name, time: some({ last: text(time['last']), zone: text(time['zone']) }), variables, panels };
}

function panelOf(value: unknown, index: number): PanelSpec {
  const panel = record(value);
  const y = typeof panel['y'] === 'string' ? { field: panel['y'] } : record(panel['y']);
  const at = Array.isArray(panel['at']) ? panel['at'].map((each) => Math.max(0, Math.trunc(Number(each) || 0))) : [];
  const w = Math.min(COLUMNS, Math.max(1, at[2] ?? 6));
  return some({
    id: text(panel['id']) ?? `panel-${index + 1}`,
    title: text(panel['title']),
    at: [Math.min(COLUMNS - w, at[0] ?? 0), at[1] ?? index * 4, w, Math.max(1, at[3] ?? 4)] as PanelSpec['at'],
    chart: (text(panel['chart']) ?? 'table') as ChartKind,
    sql: text(panel['sql']) ?? '',
    x: text(panel['x']),
    series: text(panel['series']),
    y: some({ field: text(y['field']) ?? '', unit: text(y['unit']), min: number(y['min']), max: number(y['max']), decimals: number(y['decimals']), warn: number(y['warn']), critical: number(y['critical']) }),
  });
}

function variableOf(value: unknown): VariableSpec {
  if (Array.isArray(value)) return { values: value.map(String) };
  const each = record(value);
  return some({
    sql: text(each['sql']),
    values: Array.isArray(each['values']) ? each['values'].map(String) : undefined,
    multi: each['multi'] === true ? true : undefined,
    label: text(each['label']),
    default: Array.isArray(each['default']) ? each['default'].map(String) : each['default'] === undefined ? undefined : [String(each['default'])],
  });
}

/** The names of `:name` in a statement; `::type` and text in quotes are none. */
export function parametersOf(sql: string): string[] {
  const bare = sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*/g, ' ');
  return [...new Set([...bare.matchAll(/(?<!:):([A-Za-z_]\w*)/g)].map((match) => match[1] ?? ''))];
}

/** A statement with another name for one of its parameters. */
export function renamed(sql: string, parameter: string, to: string): string {
  return sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|(?<!:):([A-Za-z_]\w*)/g, (whole, name) => (name === parameter ? `:${to}` : whole));
}

// ---- places on the board

export type At = PanelSpec['at'];
type Placed = { id: string; at: At };

const apart = (a: At, b: At): boolean => a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];

export function within(at: At): At {
  const w = Math.min(COLUMNS, Math.max(1, at[2]));
  return [Math.max(0, Math.min(COLUMNS - w, at[0])), Math.max(0, at[1]), w, Math.max(1, at[3])];
}

/** A panel takes its new place; what lies there makes room downwards. The places that change, of others too. */
export function moved(panels: Placed[], id: string, to: At): Map<string, At> {
  const changed = new Map<string, At>([[id, within(to)]]);
  const at = (panel: Placed): At => changed.get(panel.id) ?? panel.at;
  const placed: At[] = [within(to)];
  for (const panel of panels.filter((each) => each.id !== id).sort((a, b) => a.at[1] - b.at[1] || a.at[0] - b.at[0])) {
    let place = at(panel);
    for (let hit = placed.find((each) => !apart(each, place)); hit; hit = placed.find((each) => !apart(each, place))) place = [place[0], hit[1] + hit[3], place[2], place[3]];
    if (place !== panel.at) changed.set(panel.id, place);
    placed.push(place);
  }
  return changed;
}

/** The first row below all panels. */
export const below = (panels: Placed[]): number => Math.max(0, ...panels.map(({ at }) => at[1] + at[3]));

/** A name that no panel has. */
export function freeId(panels: { id: string }[], wish: string): string {
  const base = wish.toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '') || 'panel';
  const taken = new Set(panels.map((panel) => panel.id));
  let id = base;
  for (let n = 2; taken.has(id); n += 1) id = `${base}_${n}`;
  return id;
}
