//! What helps while typing: errors found without running, and statements over the tables that are there.

import { isTime } from '../format';
import { execute, Refused, type Refusal } from '../wire/api';
import { isInput, type TableInfo } from '../wire/catalog.svelte';
import type { Mark } from './editor';
import { madeBefore, offsetOf, placed, queryFrom, scriptOf, type Statement } from './split';

/** More statements than this are not planned at each pause of typing. */
const CHECKED = 12;
const KNOWN = 200;
const CHECK_LIMIT_MS = 5_000;

/** What the server said of a text; equal texts are not asked again, for some seconds. */
const known = new Map<string, { refusal: Refusal | null; untilMs: number }>();
const KNOWN_MS = 10_000;

async function refusalOf(sql: string): Promise<Refusal | null> {
  const before = known.get(sql);
  if (before && before.untilMs > performance.now()) return before.refusal;
  let refusal: Refusal | null = null;
  try {
    await execute(sql, AbortSignal.timeout(CHECK_LIMIT_MS));
  } catch (error) {
    if (!(error instanceof Refused)) return null;
    refusal = error.refusal;
  }
  if (known.size > KNOWN) known.clear();
  known.set(sql, { refusal, untilMs: performance.now() + KNOWN_MS });
  return refusal;
}

/** Plans each query of the text, and runs none. */
export async function check(text: string, statements: Statement[]): Promise<Mark[]> {
  const marks: Mark[] = [];
  for (const each of statements.slice(0, CHECKED)) {
    if (queryFrom(each) === null) continue;
    const script = scriptOf(text, statements, each, 'plan');
    const refusal = await refusalOf(script.text);
    if (!refusal) continue;
    const made = madeBefore(statements, each);
    if ([...refusal.message.matchAll(/'([^']+)'/g)].some((match) => made.has(match[1]?.split('.').at(-1) ?? ''))) continue;
    const mark = markOf(text, placed(refusal, script));
    if (mark) marks.push(mark);
  }
  return marks;
}

export function markOf(text: string, refusal: Refusal): Mark | null {
  const { line, column } = refusal;
  if (!line || !column) return null;
  const from = offsetOf(text, line, column);
  const rest = text.slice(from);
  const length = refusal.length ?? (/^[\w$]+/.exec(rest)?.[0].length || 1);
  const to = Math.min(text.length, from + [...rest].slice(0, Math.max(1, length)).join('').length);
  const wanted = /did you mean ['`"]([^'`"]+)['`"]/.exec(refusal.hint ?? '')?.[1];
  return { from, to, at: `${line}:${column}`, message: refusal.message, hint: refusal.hint ?? '', fix: wanted ? { text: wanted, from, to } : null };
}

const name = (text: string): string => (/^[A-Za-z_]\w*$/.test(text) ? text : `\`${text.replaceAll('`', '``')}\``);

export interface Example {
  title: string;
  sql: string;
}

const EXAMPLES = 5;

/** The newest rows of what arrives, rows by window where there is an event time, a count by a key. */
export function examples(tables: TableInfo[]): Example[] {
  const readable = tables.filter((table) => table.kind !== 'sink' && table.name === table.bare);
  const busiest = [...readable].sort((a, b) => (b.rowsPerS ?? 0) - (a.rowsPerS ?? 0));
  const found: Example[] = [];
  const input = busiest.find(isInput);
  const timed = busiest.find((table) => isInput(table) && table.watermarkMs !== null) ?? busiest.find((table) => table.watermarkMs !== null && table.kind !== 'keyed table');
  const time = timed?.columns.find((column) => isTime(column.type) && /event time|rowtime/i.test(column.comment)) ?? timed?.columns.find((column) => isTime(column.type));
  if (input) found.push({ title: `Rows of ${input.name}, as they come`, sql: `SELECT * FROM ${name(input.bare)}` });
  if (timed && time) found.push({ title: `${timed.name}, each 10 s`, sql: `SELECT window_end, COUNT(*) AS n\nFROM TUMBLE(TABLE ${name(timed.bare)}, DESCRIPTOR(${name(time.name)}), INTERVAL '10' SECOND)\nGROUP BY window_start, window_end` });
  const key = input?.columns.find((column) => /^(STRING|VARCHAR|CHAR)/i.test(column.type));
  if (input && key) found.push({ title: `${input.name} by ${key.name}`, sql: `SELECT ${name(key.name)}, COUNT(*) AS n\nFROM ${name(input.bare)}\nGROUP BY ${name(key.name)}` });
  for (const table of busiest) {
    if (found.length >= EXAMPLES) break;
    if (table !== input) found.push({ title: `Rows of ${table.name}`, sql: `SELECT * FROM ${name(table.bare)}` });
  }
  if (found.length === 0) found.push({ title: 'A first table', sql: 'CREATE TABLE hello (name STRING, n INT)' }, { title: 'Rows without a table', sql: "SELECT * FROM (VALUES ('Ada', 1), ('Grace', 2)) AS t (name, n)" });
  return found;
}
