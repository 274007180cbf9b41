//! From an answer's rows to lines over time. Pure; the drawing is in adapter.ts.

import { bytes, count, decimal, numberOf, timeOf } from '../format';
import type { Answer, Thinned } from '../wire/api';

export interface Line {
  name: string;
  /** 1 to 6, or 0 for the grey of what is beyond six. */
  color: number;
  values: (number | null)[];
}

export interface Lines {
  /** Times in ms, rising. */
  xs: number[];
  lines: Line[];
  /** Spans without any row where rows were due, in ms. */
  gaps: [number, number][];
}

export const COLORS = 6;
/** A distance of this many usual steps is a gap. */
const GAP_STEPS = 2.6;

export function linesOf(answer: Answer, x: string, y: string, series: string | undefined, stacked: boolean): Lines {
  const xAt = answer.columns.findIndex((column) => column.name === x);
  const yAt = answer.columns.findIndex((column) => column.name === y);
  const sAt = series ? answer.columns.findIndex((column) => column.name === series) : -1;
  const bySeries = new Map<string, Map<number, number | null>>();
  const times = new Set<number>();
  for (const row of answer.rows) {
    const at = timeOf(row[xAt]);
    if (at === null) continue;
    const name = sAt < 0 ? y : String(row[sAt] ?? 'NULL');
    const points = bySeries.get(name) ?? new Map<number, number | null>();
    points.set(at, numberOf(row[yAt]));
    bySeries.set(name, points);
    times.add(at);
  }
  const sorted = [...times].sort((a, b) => a - b);
  const { thinned } = answer;
  const [xs, gaps] = thinned ? withKnownGaps(sorted, thinned) : withGaps(sorted);
  const all = [...bySeries].map(([name, points]) => ({ name, values: xs.map((at) => points.get(at) ?? null) }));
  return { xs, gaps, lines: coloured(all, stacked) };
}

// A point without values stands in each gap, so that no line is drawn across it.
function withGaps(times: number[]): [number[], [number, number][]] {
  const steps = times.slice(1).map((at, i) => at - (times[i] ?? at)).sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? 0;
  if (usual <= 0 || times.length < 4) return [times, []];
  const xs: number[] = [];
  const gaps: [number, number][] = [];
  times.forEach((at, i) => {
    const before = times[i - 1];
    if (before !== undefined && at - before > usual * GAP_STEPS) {
      xs.push(before + usual);
      gaps.push([before, at]);
    }
    xs.push(at);
  });
  return [xs, gaps];
}

/** Of a thinned series only the server knows where its gaps are. */
function withKnownGaps(times: number[], { gaps, step_ms }: Thinned): [number[], [number, number][]] {
  const known = new Set(gaps.map(([from]) => from));
  return [times.flatMap((at) => (known.has(at) ? [at, at + step_ms] : [at])), gaps];
}

type Named = { name: string; values: (number | null)[] };

// Colours go by name, so that a line keeps its colour while others come and go;
// beyond six, the largest six keep theirs and the rest is "other" in grey.
function coloured(all: Named[], stacked: boolean): Line[] {
  const named = [...all].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  if (named.length <= COLORS) return named.map((line, i) => ({ ...line, color: i + 1 }));
  const size = (line: Named) => line.values.reduce<number>((sum, value) => sum + Math.abs(value ?? 0), 0);
  const large = new Set([...named].sort((a, b) => size(b) - size(a)).slice(0, COLORS));
  const kept = named.filter((line) => large.has(line)).map((line, i) => ({ ...line, color: i + 1 }));
  const rest = named.filter((line) => !large.has(line));
  if (!stacked) return [...kept, ...rest.map((line) => ({ ...line, color: 0 }))];
  const sum = rest[0]?.values.map((_, i) => {
    const at = rest.map((line) => line.values[i]).filter((value): value is number => typeof value === 'number');
    return at.length === 0 ? null : at.reduce((a, b) => a + b, 0);
  });
  return [...kept, { name: `other, ${rest.length}`, values: sum ?? [], color: 0 }];
}

/** Running sums from the first line up; a point without any value stays without, and so does a line of nothing but zeros: it would cover the one below. */
export function stack(lines: Line[]): (number | null)[][] {
  const base: number[] = [];
  return lines.map((line) => {
    const nothing = line.values.every((value) => !value) && lines.length > 1;
    return line.values.map((value, i) => {
      if (nothing || lines.every((each) => each.values[i] === null)) return null;
      const sum = (base[i] ?? 0) + (value ?? 0);
      base[i] = sum;
      return sum;
    });
  });
}

export function lastValue(line: Line): number | null {
  for (let i = line.values.length - 1; i >= 0; i -= 1) {
    const value = line.values[i];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

const BYTE_UNITS = new Map([['B', ''], ['bytes', ''], ['B/s', '/s'], ['bytes/s', '/s']]);

/** A figure and its unit as they stand beside each other. Bytes move to kB, MB, GB. */
export function measure(value: number | null | undefined, unit = '', decimals?: number): [string, string] {
  if (value === null || value === undefined || !Number.isFinite(value)) return ['–', unit];
  const per = BYTE_UNITS.get(unit);
  if (per !== undefined) {
    const [figure, scale = 'B'] = bytes(value).split(' ');
    return [figure ?? '', `${scale}${per}`];
  }
  if (decimals !== undefined) return [decimal(value, decimals), unit];
  const size = Math.abs(value);
  if (size >= 1e6) return [count(value), unit];
  return [decimal(value, Number.isInteger(value) || size >= 1000 ? 0 : size >= 10 ? 1 : 2), unit];
}

/** Whether the unit moves with the size, and so must stand at each figure. */
export const isScaled = (unit: string): boolean => BYTE_UNITS.has(unit);

export const measured = (value: number | null | undefined, unit?: string, decimals?: number): string => measure(value, unit, decimals).filter(Boolean).join(' ');
