//! Commands that send one row to a topic, ready to copy: real addresses, real columns.

import type { ColumnInfo, TableInfo } from '../wire/catalog.svelte';

export interface Producer {
  tool: 'curl' | 'kcat' | 'psql';
  door: 'http' | 'kafka' | 'postgres';
  title: string;
  address: string;
  command: string;
}

const HELLO: ColumnInfo[] = [
  { name: 'name', type: 'STRING', nullable: true, comment: '' },
  { name: 'n', type: 'INT', nullable: true, comment: '' },
];

/** A value that the type accepts; names stand for themselves. */
function sample(column: ColumnInfo, iso: boolean): unknown {
  const type = column.type.toUpperCase();
  if (/^(TINY|SMALL|BIG)?INT|^INTEGER/.test(type)) return 1;
  if (/^(FLOAT|DOUBLE|REAL)/.test(type)) return 1.5;
  if (/^(DECIMAL|NUMERIC|DEC)/.test(type)) return 1;
  if (/^BOOL/.test(type)) return true;
  if (/^TIMESTAMP_LTZ|^TIMESTAMP.*LOCAL/.test(type)) return iso ? '2026-01-01T12:00:00Z' : '2026-01-01 12:00:00Z';
  if (/^TIMESTAMP/.test(type)) return iso ? '2026-01-01T12:00:00' : '2026-01-01 12:00:00';
  if (/^DATE/.test(type)) return '2026-01-01';
  if (/^TIME/.test(type)) return '12:00:00';
  if (/^ARRAY/.test(type)) return [];
  if (/^(MAP|ROW|MULTISET)/.test(type)) return {};
  return column.name === 'name' ? 'Ada' : 'text';
}

const shell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const identifier = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

function literal(value: unknown, type: string): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const quoted = `'${String(value).replaceAll("'", "''")}'`;
  if (/^TIMESTAMP/i.test(type)) return `TIMESTAMP '${String(value).replace('T', ' ').replace('Z', '')}'`;
  if (/^DATE/i.test(type)) return `DATE ${quoted}`;
  if (/^TIME/i.test(type)) return `TIME ${quoted}`;
  return quoted;
}

function parts(address: string): { host: string; port: string } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: address.slice(at + 1) };
}

/** `table` is null on a server without any topic: then curl and psql create `hello` first. */
export function producers(table: TableInfo | null, doors: Record<string, string>): Producer[] {
  const name = table?.name ?? 'hello';
  const columns = (table?.columns.length ? table.columns : HELLO).filter((column) => !/GENERATED|METADATA/i.test(column.comment));
  // Times are written as the format reads them: with a space, unless the table says otherwise.
  const iso = /timestamp-format\.standard'?\s*=\s*'ISO-8601'/i.test(table?.ddl ?? '');
  const row = Object.fromEntries(columns.map((column) => [column.name, sample(column, iso)]));
  const json = JSON.stringify(row);
  const result: Producer[] = [];
  if (doors['http']) {
    const jsonType = `-H 'content-type: application/json'`;
    const create = table ? '' : `curl -d '{"sql":"CREATE TABLE IF NOT '\\\n'EXISTS hello (name STRING, n INT)"}' \\\n  ${jsonType} \\\n  ${doors['http']}/v1/sql\n`;
    result.push({ tool: 'curl', door: 'http', title: 'HTTP', address: doors['http'], command: `${create}curl -d ${shell(json)} \\\n  ${jsonType} \\\n  ${doors['http']}/v1/tables/${encodeURIComponent(name)}/rows` });
  }
  if (doors['kafka']) {
    result.push({ tool: 'kcat', door: 'kafka', title: 'Kafka', address: doors['kafka'], command: `echo ${shell(json)} |\n  kcat -P -b ${doors['kafka']} \\\n  -t ${name}` });
  }
  if (doors['postgres']) {
    const { host, port } = parts(doors['postgres']);
    const scalars = columns.filter((column) => !/^(ARRAY|MAP|ROW|MULTISET|BYTES|BINARY|VARBINARY)/i.test(column.type));
    const names = scalars.length === columns.length ? '' : ` (${scalars.map((column) => identifier(column.name)).join(', ')})`;
    const values = scalars.map((column) => literal(row[column.name], column.type)).join(', ');
    const create = table ? '' : `-c \\\n  "CREATE TABLE IF NOT EXISTS\n   hello (name STRING, n INT)" `;
    const text = `INSERT INTO ${identifier(name)}${names}\n   VALUES (${values})`.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '\\$').replaceAll('`', '\\`');
    result.push({ tool: 'psql', door: 'postgres', title: 'Postgres', address: doors['postgres'], command: `psql -h ${host} -p ${port} -U arus ${create}-c \\\n  "${text}"` });
  }
  return result;
}
