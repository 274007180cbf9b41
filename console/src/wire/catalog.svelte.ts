//! Everything that has a name on the server, with its latest figures: the base of all screens.

import { numberOf, timeOf } from '../format';
import { dashboardNames, query, records, serverInfo, type Answer, type Cell, type DashboardName, type ServerInfo } from './api';
import { alertOf, type AlertInfo } from './alerts';
import type { Growing } from '../verdict';
import { connection } from './connection.svelte';
import { happened } from './happened.svelte';
import { History } from './history.svelte';
import { Live } from './live.svelte';

export interface ColumnInfo {
  name: string;
  type: string;
  nullable: boolean;
  comment: string;
}

export interface TableInfo {
  /** As the console and its addresses name it: `t`, or `db.t` outside the default database. */
  name: string;
  bare: string;
  database: string;
  kind: string;
  connector: string;
  format: string;
  columns: ColumnInfo[];
  rows: number | null;
  bytes: number | null;
  rowsPerS: number | null;
  newestMs: number | null;
  watermarkMs: number | null;
  /** The pipelines that write it; none where clients do. */
  writtenBy: string[];
  readBy: string[];
  late: number;
  quarantined: number;
  ddl: string;
}

export interface PipelineInfo {
  id: string;
  name: string;
  kind: string;
  state: string;
  reason: string;
  sql: string;
  target: string;
  sources: string[];
  startedMs: number | null;
  inPerS: number | null;
  outPerS: number | null;
  busy: number | null;
  behindMs: number | null;
  backlog: number | null;
  watermarkMs: number | null;
  stateBytes: number | null;
  catchingUp: boolean;
}

/** Whether rows come from outside: a source, or a topic that no pipeline writes. */
export const isInput = (table: TableInfo): boolean => (table.kind === 'topic' || table.kind === 'source') && table.writtenBy.length === 0;

export interface Snapshot<T> {
  epoch: number;
  incarnation: number;
  as_of_ms: number;
  items: T[];
}

const text = (cell: Cell | undefined): string => (cell === null || cell === undefined ? '' : String(cell));
const list = (cell: Cell | undefined): string[] =>
  text(cell).split(',').map((part) => part.trim()).filter(Boolean);

/** How the server says that no pipeline writes a table. */
const CLIENTS = 'clients';
const DEFAULT_DATABASES = new Set(['', 'default_database', 'public']);

function tableOf(record: Record<string, Cell>): TableInfo {
  const bare = text(record['name']);
  const database = text(record['database']);
  return {
    name: DEFAULT_DATABASES.has(database) ? bare : `${database}.${bare}`,
    bare,
    database,
    kind: text(record['kind']),
    connector: text(record['connector']),
    format: text(record['format']),
    columns: columnsOf(record['columns']),
    rows: numberOf(record['rows_total']),
    bytes: numberOf(record['bytes']),
    rowsPerS: numberOf(record['rows_per_s']),
    newestMs: timeOf(record['newest']),
    watermarkMs: timeOf(record['watermark']),
    writtenBy: list(record['written_by']).filter((writer) => writer !== CLIENTS),
    readBy: list(record['read_by']),
    late: numberOf(record['late_rows']) ?? 0,
    quarantined: numberOf(record['quarantined_rows']) ?? 0,
    ddl: text(record['ddl']),
  };
}

function columnsOf(cell: Cell | undefined): ColumnInfo[] {
  let parsed: unknown = cell;
  if (typeof cell === 'string') {
    try {
      parsed = JSON.parse(cell);
    } catch {
      return [];
    }
  }
  if (!Array.isArray(parsed)) return [];
  return parsed.map((column: Record<string, unknown>) => ({
    name: String(column['name'] ?? ''),
    type: String(column['type'] ?? ''),
    nullable: column['nullable'] !== false,
    comment: typeof column['comment'] === 'string' ? column['comment'] : '',
  }));
}

function pipelineOf(record: Record<string, Cell>): PipelineInfo {
  return {
    id: text(record['id']),
    name: text(record['name']) || text(record['id']),
    kind: text(record['kind']),
    state: text(record['state']),
    reason: text(record['reason']),
    sql: text(record['sql']),
    target: text(record['target']),
    sources: list(record['sources']),
    startedMs: timeOf(record['started']),
    inPerS: numberOf(record['rows_in_per_s']),
    outPerS: numberOf(record['rows_out_per_s']),
    busy: numberOf(record['busy']),
    behindMs: numberOf(record['behind_ms']),
    backlog: numberOf(record['backlog_rows']),
    watermarkMs: timeOf(record['watermark']),
    stateBytes: numberOf(record['state_bytes']),
    catchingUp: record['catching_up'] === true,
  };
}

export function snapshot<T>(answer: Answer, read: (record: Record<string, Cell>) => T): Snapshot<T> {
  return {
    epoch: answer.epoch,
    incarnation: answer.incarnation,
    as_of_ms: answer.as_of_ms,
    items: records(answer).map(read),
  };
}

const byName = <T extends { name: string }>(a: T, b: T): number => a.name.localeCompare(b.name, 'en', { numeric: true });

class Catalog {
  #tables = new Live(async (signal) => snapshot(await query('SELECT * FROM arus.tables', {}, signal), tableOf), 500);
  #pipelines = new Live(async (signal) => snapshot(await query('SELECT * FROM arus.pipelines', {}, signal), pipelineOf), 500);
  #server = new Live<ServerInfo>(serverInfo, 2_000);
  #alerts = new Live(async (signal) => snapshot(await query('SELECT * FROM arus.alerts', {}, signal), alertOf), 1_000);
  #dashboards = new Live<DashboardName[]>(dashboardNames, 5_000);

  readonly history = new History();

  readonly tables: TableInfo[] = $derived([...(this.#tables.value?.items ?? [])].sort(byName));
  readonly pipelines: PipelineInfo[] = $derived([...(this.#pipelines.value?.items ?? [])].sort(byName));
  readonly alerts: AlertInfo[] = $derived([...(this.#alerts.value?.items ?? [])].sort(byName));
  readonly dashboards: DashboardName[] = $derived(this.#dashboards.value ?? []);
  readonly server: ServerInfo | undefined = $derived(this.#server.value);

  /** Where rows come in, and what pipelines make of them: a topic may be either. */
  readonly topics = $derived(this.tables.filter(isInput));
  readonly results = $derived(this.tables.filter((table) => !isInput(table) && table.kind !== 'view'));

  /** Tables with more rows in quarantine than when the page first saw them. */
  get growing(): Growing[] {
    return this.tables.flatMap((table) => {
      const range = table.quarantined > 0 ? this.history.range(`held ${table.name}`) : null;
      return range && range[1] > range[0] ? [{ name: table.name, rows: range[1] - range[0] }] : [];
    });
  }

  get known(): boolean {
    return this.#tables.value !== undefined && this.#pipelines.value !== undefined;
  }

  get alertsKnown(): boolean {
    return this.#alerts.value !== undefined;
  }

  get alertsRefusal() {
    return this.#alerts.refusal;
  }

  /** They were changed here. */
  hurryAlerts(): void {
    this.#alerts.hurry();
  }

  get dashboardsKnown(): boolean {
    return this.#dashboards.value !== undefined;
  }

  get asOfMs(): number | null {
    return this.#tables.value ? connection.asOf(this.#tables.value) : null;
  }

  get refusal() {
    return this.#tables.refusal ?? this.#pipelines.refusal;
  }

  table(name: string): TableInfo | undefined {
    return this.tables.find((table) => table.name === name) ?? this.tables.find((table) => table.bare === name);
  }

  pipeline(id: string): PipelineInfo | undefined {
    return this.pipelines.find((pipeline) => pipeline.id === id) ?? this.pipelines.find((pipeline) => pipeline.name === id);
  }

  start(): () => void {
    const stops = [this.#tables.start(), this.#pipelines.start(), this.#server.start(), this.#dashboards.start(), this.#alerts.start()];
    stops.push(connection.onTick((tick) => {
      if (!this.known) return;
      this.history.sample(tick.now_ms, this.#figures(tick.now_ms));
      happened.observe(tick.now_ms, this.server, this.tables, this.pipelines);
    }));
    return () => stops.forEach((stop) => stop());
  }

  *#figures(nowMs: number): Generator<[string, number]> {
    let arriving = 0;
    let busy = 0;
    let leaving = 0;
    for (const table of this.tables) {
      const perS = table.rowsPerS ?? 0;
      yield [`table ${table.name}`, perS];
      yield [`held ${table.name}`, table.quarantined];
      if (isInput(table)) arriving += perS;
      else if (table.kind !== 'view') leaving += perS;
    }
    for (const pipeline of this.pipelines) {
      busy += pipeline.busy ?? 0;
      yield [`busy ${pipeline.id}`, pipeline.busy ?? 0];
      const behind = pipeline.behindMs;
      if (behind !== null) yield [`behind ${pipeline.id}`, behind];
    }
    yield ['in', arriving];
    yield ['busy', busy];
    yield ['out', leaving];
    yield ['seen', nowMs];
  }
}

export const catalog = new Catalog();
