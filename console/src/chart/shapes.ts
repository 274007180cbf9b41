//! From an answer's rows to bars, classes, a grid of heat and a list. Pure; the drawing is in the components beside it.

import { isTime, numberOf, timeOf } from '../format';
import type { Answer, Cell } from '../wire/api';
import { COLORS, linesOf, type Line } from './model';

/** Bars side by side or on each other: a group for each x, a value for each series. */
export interface Groups {
  /** Times in ms where x is a time, else null. */
  times: number[] | null;
  names: string[];
  series: Line[];
}

const word = (cell: Cell | undefined): string => (cell === null || cell === undefined ? 'NULL' : typeof cell === 'object' ? JSON.stringify(cell) : String(cell));
export const place = (answer: Answer, name: string | undefined): number => (name === undefined ? -1 : answer.columns.findIndex((column) => column.name === name));

export function groupsOf(answer: Answer, x: string | undefined, y: string, series: string | undefined, stacked: boolean): Groups {
  const xAt = place(answer, x);
  if (xAt >= 0 && x !== undefined && isTime(answer.columns[xAt]?.type ?? '')) {
    const { xs, lines } = linesOf(answer, x, y, series, stacked);
    return { times: xs, names: [], series: lines };
  }
  const yAt = place(answer, y);
  const sAt = place(answer, series);
  const names = [...new Set(answer.rows.map((row) => (xAt < 0 ? '' : word(row[xAt]))))];
  const bySeries = new Map<string, (number | null)[]>();
  for (const row of answer.rows) {
    const name = sAt < 0 ? y : word(row[sAt]);
    const values = bySeries.get(name) ?? names.map(() => null);
    const at = names.indexOf(xAt < 0 ? '' : word(row[xAt]));
    values[at] = (values[at] ?? 0) + (numberOf(row[yAt]) ?? 0);
    bySeries.set(name, values);
  }
  const all = [...bySeries].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
  return { times: null, names, series: all.map(([name, values], i) => ({ name, color: i < COLORS ? i + 1 : 0, values })) };
}

export interface Classes {
  /** One more than there are counts. */
  bounds: number[];
  counts: number[];
}

/** How many values lie in each of some classes of one round width. */
export function classesOf(values: number[], wanted = 16): Classes {
  if (values.length === 0) return { bounds: [], counts: [] };
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const width = step((high - low || Math.abs(high) || 1) / wanted);
  const first = Math.floor(low / width + 1e-9);
  const counts = new Array<number>(Math.floor(high / width + 1e-9) - first + 1).fill(0);
  for (const value of values) {
    const at = Math.min(counts.length - 1, Math.floor(value / width + 1e-9) - first);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return { bounds: Array.from({ length: counts.length + 1 }, (_, i) => Number(((first + i) * width).toPrecision(12))), counts };
}

/** The smallest of 1, 2, 5 times a power of ten that is not below this. */
export function step(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return (([1, 2, 5, 10].find((each) => each * power >= least * 0.999_999) ?? 10) * power);
}

/** Round places on an axis between two values, both included. */
export function ticks(low: number, high: number, wanted: number): number[] {
  if (!(high > low)) return [low];
  const width = step((high - low) / Math.max(1, wanted));
  const first = Math.ceil(low / width - 1e-9);
  const last = Math.floor(high / width + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * width).toPrecision(12)));
}

export interface Heat {
  xs: { ms: number | null; name: string }[];
  rows: { name: string; values: (number | null)[] }[];
  low: number;
  high: number;
}

/** A row for each series, a column for each x. */
export function heatOf(answer: Answer, x: string | undefined, y: string, series: string | undefined): Heat {
  const { times, names, series: all } = groupsOf(answer, x, y, series, false);
  const values = all.flatMap((line) => line.values).filter((value): value is number => value !== null);
  return {
    xs: times ? times.map((ms) => ({ ms, name: '' })) : names.map((name) => ({ ms: null, name })),
    rows: all.map(({ name, values }) => ({ name, values })),
    low: values.length === 0 ? 0 : values.reduce((a, b) => Math.min(a, b)),
    high: values.length === 0 ? 1 : values.reduce((a, b) => Math.max(a, b)),
  };
}

/** One of the five shades, from 0. */
export const shade = (value: number, low: number, high: number): number => (high > low ? Math.min(4, Math.floor(((value - low) / (high - low)) * 5)) : 4);

/** Names with their figures, the largest first. */
export function topOf(answer: Answer, x: string | undefined, y: string): { name: string; value: number }[] {
  const xAt = x === undefined ? answer.columns.findIndex((column) => column.name !== y) : place(answer, x);
  const yAt = place(answer, y);
  const rows = answer.rows.map((row) => ({ name: word(row[xAt]), value: numberOf(row[yAt]) ?? 0 }));
  return rows.sort((a, b) => b.value - a.value).slice(0, 100);
}

export const numbersOf = (answer: Answer, y: string): number[] => {
  const yAt = place(answer, y);
  return answer.rows.map((row) => numberOf(row[yAt])).filter((value): value is number => value !== null);
};

export type Level = 'ok' | 'warn' | 'critical';

/** Where a value stands by its limits; a critical limit below the warning one means that small is bad. */
export function levelOf(value: number, warn: number | undefined, critical: number | undefined): Level {
  const falls = warn !== undefined && critical !== undefined && critical < warn;
  const over = (limit: number | undefined) => limit !== undefined && (falls ? value <= limit : value >= limit);
  return over(critical) ? 'critical' : over(warn) ? 'warn' : 'ok';
}

export const timesOf = (answer: Answer, x: string | undefined): number[] => {
  const xAt = place(answer, x);
  return answer.rows.map((row) => timeOf(row[xAt])).filter((value): value is number => value !== null);
};
