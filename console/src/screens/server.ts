//! What the settings page says of the server. Pure.

import type { TableInfo } from '../wire/catalog.svelte';

export interface Address {
  name: string;
  title: string;
  address: string;
  command: string;
}

/** The doors, with what a client types. */
export function addresses(doors: Record<string, string>): Address[] {
  const found: Address[] = [];
  const add = (name: string, title: string, command: (address: string, host: string, port: string) => string) => {
    const address = doors[name];
    if (!address) return;
    const cut = address.lastIndexOf(':');
    found.push({ name, title, address, command: command(address, address.slice(0, cut), address.slice(cut + 1)) });
  };
  add('http', 'HTTP, console', (address) => `http://${address}`);
  add('postgres', 'Postgres', (_, host, port) => `psql -h ${host} -p ${port} -U arus arus`);
  add('kafka', 'Kafka', (address) => `kcat -b ${address} -L`);
  for (const name of Object.keys(doors)) if (!['http', 'postgres', 'kafka'].includes(name)) add(name, name, (address) => address);
  return found;
}

/** Names of the secrets that tables ask for, and which tables do. Values are nowhere near this page. */
export function secretsOf(tables: Pick<TableInfo, 'name' | 'ddl'>[]): { name: string; tables: string[] }[] {
  const found = new Map<string, string[]>();
  for (const table of tables) {
    for (const [, name = ''] of table.ddl.matchAll(/\$\{secret:([^}]+)\}/g)) {
      const by = found.get(name) ?? [];
      if (!by.includes(table.name)) found.set(name, [...by, table.name]);
    }
  }
  return [...found].map(([name, by]) => ({ name, tables: by })).sort((a, b) => a.name.localeCompare(b.name, 'en'));
}
