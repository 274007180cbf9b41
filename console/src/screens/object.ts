//! The statements of an object's page.

import { isTime } from '../format';
import type { TableInfo } from '../wire/catalog.svelte';

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The object's name as SQL, with its database where it is not the default one. */
export function qualified(table: TableInfo, suffix = ''): string {
  const bare = quote(table.bare + suffix);
  return table.name === table.bare ? bare : `${quote(table.database)}.${bare}`;
}

/** Newest first by the latest of its times, or else in the object's own order. */
export function newestSql(table: TableInfo, limit: number): string {
  const times = table.columns.filter((column) => isTime(column.type)).map((column) => column.name);
  const by = ['window_end', 'window_time'].find((name) => times.includes(name)) ?? times[0];
  return `SELECT * FROM ${qualified(table)}${by ? ` ORDER BY ${quote(by)} DESC` : ''} LIMIT ${limit}`;
}

/** Of the rows that a condition keeps; the server refuses what is no condition. */
export function filteredSql(table: TableInfo, condition: string, limit: number): string {
  return newestSql(table, limit).replace(`FROM ${qualified(table)}`, () => `FROM ${qualified(table)} WHERE (${condition}\n)`);
}

/** What follows in a reason is the value that was found: other values are the same fault. */
const FOUND = ', found ';

/** Held rows by reason: one fix replays one group. */
export function quarantineSql(table: TableInfo): string {
  return `SELECT split_part(reason, '${FOUND}', 1) AS reason, COUNT(*) AS "rows", MAX(bytes) AS sample, MAX("time") AS last FROM ${qualified(table, '$quarantine')} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20`;
}

/** Late rows by reader: how many, and how late. */
export function lateSql(table: TableInfo): string {
  const late = 'EXTRACT(EPOCH FROM watermark) - EXTRACT(EPOCH FROM "time")';
  return `SELECT pipeline, operator, COUNT(*) AS "rows", MEDIAN(${late}) AS usual, MAX(${late}) AS most, MAX("time") AS last FROM ${qualified(table, '$late')} GROUP BY pipeline, operator ORDER BY 3 DESC LIMIT 20`;
}

const back = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** The object's name in Flink's SQL. */
export const flinkName = (table: TableInfo, suffix = ''): string => (table.name === table.bare ? back(table.bare + suffix) : `${back(table.database)}.${back(table.bare + suffix)}`);

export function replaySql(table: TableInfo, what: 'QUARANTINE' | 'LATE', reason: string | null): string {
  const where = reason === null ? '' : ` WHERE reason = ${text(reason)} OR STARTSWITH(reason, ${text(reason + FOUND)})`;
  return `ALTER TABLE ${flinkName(table)} REPLAY ${what}${where}`;
}
