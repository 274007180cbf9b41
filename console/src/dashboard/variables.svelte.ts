//! The choices of a dashboard: what there is to choose from is asked of the server, what is chosen stands in the address.
//! They are bound as values and never become text of a statement.

import { query, type Params, type VariableSpec } from '../wire/api';
import { Live } from '../wire/live.svelte';
import { route } from '../wire/route.svelte';
import { parametersOf } from './spec';

const CHOICES = 1_000;
const EVERY_MS = 10_000;

export class Variables {
  readonly specs: Record<string, VariableSpec>;
  #asked = new Map<string, Live<string[]>>();

  constructor(specs: Record<string, VariableSpec>) {
    this.specs = specs;
    for (const [name, spec] of Object.entries(specs)) {
      const { sql } = spec;
      if (sql) this.#asked.set(name, new Live(async (signal) => (await query(sql, timeParams(sql, Date.now() - 86_400_000, Date.now()), signal)).rows.slice(0, CHOICES).map((row) => String(row[0] ?? '')), EVERY_MS));
    }
  }

  start(): () => void {
    const stops = [...this.#asked.values()].map((live) => live.start());
    return () => stops.forEach((stop) => stop());
  }

  get names(): string[] {
    return Object.keys(this.specs);
  }

  /** What there is to choose from; undefined while nobody knows. */
  choices(name: string): string[] | undefined {
    const spec = this.specs[name];
    return spec?.values ?? (spec?.sql ? this.#asked.get(name)?.value : (spec?.default ?? []));
  }

  refusal(name: string) {
    return this.#asked.get(name)?.refusal ?? null;
  }

  /** What is chosen; of several nothing means all. */
  chosen(name: string): string[] {
    const text = route.query.get(`var-${name}`);
    if (text !== null) return text.split(',').map(decodeURIComponent).filter(Boolean);
    return this.specs[name]?.default ?? [];
  }

  choose(name: string, values: string[]): void {
    route.choose(`var-${name}`, values.length > 0 ? values.map((value) => value.replaceAll('%', '%25').replaceAll(',', '%2C')).join(',') : null);
  }

  /** The values that a statement names, or null while one of them is not known yet. */
  params(sql: string): Params | null {
    const params: Params = {};
    for (const name of parametersOf(sql)) {
      const spec = this.specs[name];
      if (!spec) continue;
      const chosen = this.chosen(name);
      const choices = this.choices(name);
      if (spec.multi) {
        const values = chosen.length > 0 ? chosen : choices;
        if (!values) return null;
        params[name] = values;
      } else {
        const value = chosen[0] ?? choices?.[0];
        if (value === undefined && choices === undefined) return null;
        params[name] = value ?? null;
      }
    }
    return params;
  }
}

/** `:from` and `:to`, where a statement has them. */
export function timeParams(sql: string, fromMs: number, toMs: number): Params {
  const names = parametersOf(sql);
  const params: Params = {};
  if (names.includes('from')) params['from'] = new Date(fromMs).toISOString();
  if (names.includes('to')) params['to'] = new Date(toMs).toISOString();
  return params;
}
