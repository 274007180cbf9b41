//! What happened, as far as this page knows: when things started, and what changed while it was open.

import { plural } from '../format';
import type { Health, Words } from '../verdict';
import type { PipelineInfo, TableInfo } from './catalog.svelte';
import type { ServerInfo } from './api';

export interface Happening {
  atMs: number;
  health: Health;
  words: Words;
  kind: 'server' | 'pipeline' | 'topic';
}

const KEPT = 100;

class Happened {
  #seen = $state.raw<Happening[]>([]);
  #states = new Map<string, string>();
  #quarantined = new Map<string, number>();
  #tables: Set<string> | null = null;
  #incarnation: number | null = null;

  /** Newest first: what was observed, and the starts that the server tells of. */
  list(server: ServerInfo | undefined, pipelines: PipelineInfo[]): Happening[] {
    const starts: Happening[] = [];
    if (server) starts.push({ atMs: server.started_ms, health: 'ok', kind: 'server', words: [`The server started, incarnation ${server.incarnation}`] });
    for (const pipeline of pipelines) {
      if (pipeline.startedMs !== null) starts.push({ atMs: pipeline.startedMs, health: 'ok', kind: 'pipeline', words: [{ code: pipeline.name }, ' started'] });
    }
    return [...this.#seen, ...starts].sort((a, b) => b.atMs - a.atMs).slice(0, KEPT);
  }

  observe(nowMs: number, server: ServerInfo | undefined, tables: TableInfo[], pipelines: PipelineInfo[]): void {
    const news: Happening[] = [];
    for (const pipeline of pipelines) {
      const before = this.#states.get(pipeline.id);
      if (before !== undefined && before !== pipeline.state && pipeline.state !== 'running') {
        const reason = pipeline.reason ? `: ${pipeline.reason}` : '';
        news.push({ atMs: nowMs, health: pipeline.state === 'failed' ? 'critical' : 'off', kind: 'pipeline', words: [{ code: pipeline.name }, ` ${pipeline.state}${reason}`] });
      }
      this.#states.set(pipeline.id, pipeline.state);
    }
    for (const table of tables) {
      if (this.#tables && !this.#tables.has(table.name)) news.push({ atMs: nowMs, health: 'ok', kind: 'topic', words: [{ code: table.name }, ` is new, a ${table.kind}`] });
      const before = this.#quarantined.get(table.name);
      if (before !== undefined && table.quarantined > before) {
        news.push({ atMs: nowMs, health: 'warn', kind: 'topic', words: [`${plural(table.quarantined - before, 'row')} of `, { code: table.name }, ' could not be read and went to its quarantine'] });
      }
      this.#quarantined.set(table.name, table.quarantined);
    }
    if (tables.length > 0 || this.#tables) this.#tables = new Set(tables.map((table) => table.name));
    if (server && this.#incarnation !== null && server.incarnation !== this.#incarnation) this.#states.clear();
    if (server) this.#incarnation = server.incarnation;
    if (news.length > 0) this.#seen = [...news, ...this.#seen].slice(0, KEPT);
  }
}

export const happened = new Happened();
