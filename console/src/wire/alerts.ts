//! Alerts, what fires of them and what has happened, as the system tables have them.

import { numberOf, timeOf } from '../format';
import type { Health } from '../verdict';
import type { Cell } from './api';

export type Severity = 'info' | 'warning' | 'critical';

export interface AlertInfo {
  /** As statements name it: `a`, or `db.a` outside of the default database. */
  name: string;
  severity: Severity;
  state: string;
  firing: number;
  sinceMs: number | null;
  silenced: boolean;
  /** Null while it is silenced: until further notice. */
  silencedUntilMs: number | null;
  query: string;
  notify: string;
  pipeline: string;
  reason: string;
  waiting: number;
  dropped: number;
  leftOut: number;
  lastError: string;
  fired: number;
  lastEvent: string;
  lastEventMs: number | null;
  runbook: string;
}

export interface CaseInfo {
  alert: string;
  severity: Severity;
  state: string;
  key: string;
  summary: string;
  sinceMs: number | null;
  silenced: boolean;
  id: string;
  runbook: string;
}

export interface EventInfo {
  id: string;
  alert: string;
  atMs: number | null;
  event: string;
  severity: Severity;
  key: string;
  summary: string;
  silenced: boolean;
}

type Record_ = Record<string, Cell>;
const text = (cell: Cell | undefined): string => (cell === null || cell === undefined ? '' : String(cell));
const severityOf = (cell: Cell | undefined): Severity => (cell === 'info' || cell === 'critical' ? cell : 'warning');

export function alertOf(record: Record_): AlertInfo {
  const database = text(record['database']);
  const bare = text(record['name']);
  return {
    name: database === '' || database === 'default_database' ? bare : `${database}.${bare}`,
    severity: severityOf(record['severity']),
    state: text(record['state']),
    firing: numberOf(record['firing']) ?? 0,
    sinceMs: timeOf(record['since']),
    silenced: record['silenced'] === true,
    silencedUntilMs: timeOf(record['silenced_until']),
    query: text(record['query']),
    notify: text(record['notify']),
    pipeline: text(record['pipeline']),
    reason: text(record['reason']),
    waiting: numberOf(record['waiting']) ?? 0,
    dropped: numberOf(record['dropped']) ?? 0,
    leftOut: numberOf(record['left_out']) ?? 0,
    lastError: text(record['last_error']),
    fired: numberOf(record['fired']) ?? 0,
    lastEvent: text(record['last_event']),
    lastEventMs: timeOf(record['last_event_at']),
    runbook: text(record['runbook']),
  };
}

export function caseOf(record: Record_): CaseInfo {
  return {
    alert: text(record['alert']),
    severity: severityOf(record['severity']),
    state: text(record['state']),
    key: text(record['key']),
    summary: text(record['summary']),
    sinceMs: timeOf(record['since']),
    silenced: record['silenced'] === true,
    id: text(record['event_id']),
    runbook: text(record['runbook']),
  };
}

export function eventOf(record: Record_): EventInfo {
  return {
    id: text(record['id']),
    alert: text(record['alert']),
    atMs: timeOf(record['at']),
    event: text(record['event']),
    severity: severityOf(record['severity']),
    key: text(record['key']),
    summary: text(record['summary']),
    silenced: record['silenced'] === true,
  };
}

const HEALTH: Record<Severity, Health> = { critical: 'critical', warning: 'warn', info: 'live' };
export const severityHealth = (severity: Severity): Health => HEALTH[severity];

export function alertHealth(alert: AlertInfo): Health {
  if (alert.state === 'error') return 'critical';
  if (alert.silenced) return 'off';
  if (alert.state === 'firing') return severityHealth(alert.severity);
  if (alert.state === 'no data') return 'warn';
  return 'ok';
}

const RANK: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };
/** The gravest first, then what has been so for longest. */
export const byGravity = <T extends { severity: Severity; sinceMs: number | null }>(a: T, b: T): number =>
  RANK[a.severity] - RANK[b.severity] || (a.sinceMs ?? 0) - (b.sinceMs ?? 0);

/** A name in a statement. */
export const quoted = (name: string): string => name.split('.').map((part) => `\`${part.replace(/`/g, '``')}\``).join('.');

/** Only what a browser may open: a runbook may also be a path in the project. */
export const isLink = (runbook: string): boolean => /^https?:\/\//i.test(runbook);
