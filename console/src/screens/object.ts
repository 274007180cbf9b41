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

/** Held rows by reason: one fix replays one group. */
export function quarantineSql(table: TableInfo): string {
  return `SELECT reason, COUNT(*) AS "rows", MAX("time") AS last FROM ${qualified(table, '$quarantine')} GROUP BY reason ORDER BY 2 DESC LIMIT 20`;
}
