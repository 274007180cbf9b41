//! The one sentence of the overview and of a pipeline's page: the worst thing that is true, or that all is well.
//! Pure: figures in, words out, so that each sentence has a test.

import { bytes, count, percent, plural, rate, span } from './format';
import { alertHealth, byGravity, type AlertInfo } from './wire/alerts';
import type { ServerInfo } from './wire/api';
import type { PipelineInfo, TableInfo } from './wire/catalog.svelte';

export type Health = 'ok' | 'warn' | 'critical' | 'nodata' | 'off' | 'live';

/** Text with the names of objects set apart, for they stand in mono type. */
export type Words = (string | { code: string })[];

/** A message of the server: names stand in backticks in it. */
export const wordsOf = (message: string): Words => message.split(/`([^`]+)`/).map((text, i) => (i % 2 === 0 ? text : { code: text }));

export interface Verdict {
  health: Health;
  headline: Words;
  evidence: Words;
  href: { path: string; label: string } | null;
}

/** Further behind than this is worth a warning; windows of a few seconds are behind by their length. */
export const BEHIND_LIMIT_MS = 15_000;
/** This busy, an operator is the cause when its pipeline falls behind. */
export const FULL_CORE = 0.9;
const DISK_LOW = 0.05;

export function pipelineHealth(pipeline: PipelineInfo): Health {
  if (pipeline.state === 'failed') return 'critical';
  if (pipeline.state === 'restarting') return 'warn';
  if (pipeline.state === 'stopped' || pipeline.state === 'suspended') return 'off';
  if (pipeline.state === 'finished') return 'nodata';
  if ((pipeline.behindMs ?? 0) > BEHIND_LIMIT_MS) return 'warn';
  return 'ok';
}

export function stateWord(pipeline: PipelineInfo): string {
  if (pipeline.state === 'running' && pipeline.catchingUp) return 'catching up';
  return pipeline.state;
}

export function tableHealth(table: TableInfo, pipelines: PipelineInfo[]): Health {
  const writers = pipelines.filter((pipeline) => table.writtenBy.includes(pipeline.name));
  const worst = writers.map(pipelineHealth);
  if (worst.includes('critical')) return 'critical';
  if (worst.includes('warn')) return 'warn';
  if (!table.rows && !table.rowsPerS) return 'nodata';
  return 'ok';
}

/** A table whose quarantine grows while the page looks. */
export interface Growing {
  name: string;
  rows: number;
}

export function overviewVerdict(tables: TableInfo[], pipelines: PipelineInfo[], server: ServerInfo | undefined, alerts: AlertInfo[] = [], growing: Growing[] = []): Verdict {
  const open = (pipeline: PipelineInfo) => ({ path: `/pipelines/${encodeURIComponent(pipeline.id)}`, label: `Open ${pipeline.name}` });
  const failed = pipelines.filter((pipeline) => pipeline.state === 'failed');
  const first = failed[0];
  if (first) {
    return {
      health: 'critical',
      headline: failed.length === 1 ? [{ code: first.name }, ' has failed and writes nothing more.'] : [`${failed.length} pipelines have failed, `, { code: first.name }, ' first.'],
      evidence: [sentence(first.reason || 'no reason was given'), ` ${runningText(pipelines)}`],
      href: open(first),
    };
  }
  const disk = server?.disk;
  if (disk?.state === 'full') {
    return {
      health: 'critical',
      headline: ['The disk is full: no rows are taken.'],
      evidence: [`${bytes(disk.used_bytes)} are used${disk.limit_bytes ? ` of the ${bytes(disk.limit_bytes)} that --disk allows` : ''}, ${bytes(disk.free_bytes)} are free. Producers are refused, nothing acknowledged is lost, and rows are taken again as soon as there is room.`],
      href: { path: '/settings', label: 'See the budget' },
    };
  }
  const restarting = pipelines.find((pipeline) => pipeline.state === 'restarting');
  if (restarting) {
    return {
      health: 'warn',
      headline: [{ code: restarting.name }, ' has failed and is started again.'],
      evidence: [sentence(restarting.reason || 'no reason was given'), ' It goes on from its last checkpoint; the same failure three times at the same place stops it.'],
      href: open(restarting),
    };
  }
  if (disk && disk.free_bytes < DISK_LOW * (disk.free_bytes + disk.used_bytes)) {
    return {
      health: 'critical',
      headline: [`The disk is nearly full: ${bytes(disk.free_bytes)} are free.`],
      evidence: ['Producers are refused when nothing is left. Nothing acknowledged is lost.'],
      href: { path: '/data', label: 'See what holds it' },
    };
  }
  const loud = alerts.filter((alert) => alertHealth(alert) === 'critical' || alertHealth(alert) === 'warn');
  if (loud.length > 0) return { ...alertsVerdict(alerts), href: { path: '/alerts', label: 'Open alerts' } };
  const filling = [...growing].sort((a, b) => b.rows - a.rows)[0];
  if (filling) {
    return {
      health: 'warn',
      headline: ['Rows of ', { code: filling.name }, ' cannot be read and are set aside.'],
      evidence: [`${plural(filling.rows, 'row')} since this page was opened. They are kept with the reason, and REPLAY sends them once more when it is mended.`],
      href: { path: `/data/${encodeURIComponent(filling.name)}`, label: `See the quarantine of ${filling.name}` },
    };
  }
  const behind = pipelines.filter((p) => pipelineHealth(p) === 'warn').sort((a, b) => (b.behindMs ?? 0) - (a.behindMs ?? 0))[0];
  if (behind) return { ...behindVerdict(behind, [{ code: behind.name }, ' ']), href: open(behind) };
  return wellVerdict(tables, pipelines);
}

/** What alerts say, all in all. */
export function alertsVerdict(alerts: AlertInfo[]): Verdict {
  const silenced = alerts.filter((alert) => alert.silenced).length;
  const unheard = alerts.filter((alert) => alert.lastError !== '');
  const evidence: Words = [];
  if (silenced > 0) evidence.push(`${plural(silenced, 'alert')} silenced. `);
  const deaf = unheard[0];
  if (deaf) evidence.push(`${plural(deaf.waiting, 'message')} of `, { code: deaf.name }, ` could not be delivered: ${sentence(deaf.lastError)}`);
  const none = { href: null, evidence };
  const broken = alerts.find((alert) => alert.state === 'error');
  if (broken) return { ...none, health: 'critical', headline: [{ code: broken.name }, ' watches nothing: ', `${bare(broken.reason || 'its pipeline does not run')}.`] };
  const firing = alerts.filter((alert) => alert.state === 'firing' && !alert.silenced).sort(byGravity);
  const first = firing[0];
  if (first) {
    const cases = firing.reduce((sum, alert) => sum + alert.firing, 0);
    const health = alertHealth(first);
    const headline: Words = firing.length === 1 ? [{ code: first.name }, ` fires, ${plural(cases, 'case')}.`] : [`${firing.length} alerts fire, `, { code: first.name }, ' first.'];
    return { ...none, health, headline };
  }
  const missing = alerts.filter((alert) => alert.state === 'no data' && !alert.silenced);
  const starved = missing[0];
  if (starved) return { ...none, health: 'warn', headline: [{ code: starved.name }, ' gets no data.'] };
  return { ...none, health: unheard.length > 0 ? 'warn' : 'ok', headline: [alerts.length === 1 ? 'Nothing fires of one alert.' : `Nothing fires of ${alerts.length} alerts.`] };
}

function behindVerdict(pipeline: PipelineInfo, subject: Words): Omit<Verdict, 'href'> {
  const lag = span(pipeline.behindMs);
  const backlog = pipeline.backlog ? ` ${plural(pipeline.backlog, 'row waits', 'rows wait')} in its sources.` : ' No row waits in its sources: its watermark is held, or nothing newer has come.';
  return {
    health: 'warn',
    headline: [...subject, pipeline.catchingUp ? `is catching up, ${lag} behind.` : `is ${lag} behind.`],
    evidence: [`It takes ${rate(pipeline.inPerS)} rows/s at ${percent(pipeline.busy)} of a core.${backlog}`],
  };
}

/** Reasons come as messages do, in lower case and without a full stop. */
const bare = (reason: string): string => reason.trim().replace(/\.$/, '');
const sentence = (reason: string): string => `${bare(reason).replace(/^[a-z]/, (letter) => letter.toUpperCase())}.`;

function runningText(pipelines: PipelineInfo[]): string {
  const running = pipelines.filter((pipeline) => pipeline.state === 'running').length;
  return running === 0 ? 'No other pipeline is running.' : running === 1 ? 'One other pipeline keeps running.' : `${running} other pipelines keep running.`;
}

function wellVerdict(tables: TableInfo[], pipelines: PipelineInfo[]): Verdict {
  const running = pipelines.filter((pipeline) => pipeline.state === 'running');
  const arriving = tables.filter((table) => (table.kind === 'topic' || table.kind === 'source') && table.writtenBy.length === 0 && (table.rowsPerS ?? 0) > 0);
  const perS = arriving.reduce((sum, table) => sum + (table.rowsPerS ?? 0), 0);
  const worst = Math.max(0, ...running.map((pipeline) => pipeline.behindMs ?? 0));
  const evidence: Words = [];
  if (arriving.length > 0) evidence.push(`${rate(perS)} rows/s arrive in ${plural(arriving.length, 'topic')}.`);
  else evidence.push('Nothing arrives at the moment.');
  const quarantined = tables.reduce((sum, table) => sum + table.quarantined, 0);
  const late = tables.reduce((sum, table) => sum + table.late, 0);
  if (quarantined > 0) evidence.push(` ${plural(quarantined, 'row')} could not be read and are kept.`);
  if (late > 0) evidence.push(` ${plural(late, 'row')} came late and are kept.`);
  if (quarantined === 0 && late === 0) evidence.push(' No row was late and none was quarantined.');
  const stopped = pipelines.filter((pipeline) => pipeline.state === 'stopped').length;
  if (stopped > 0) evidence.push(` ${plural(stopped, 'pipeline')} stopped.`);
  const headline: Words =
    running.length === 0
      ? [pipelines.length === 0 ? 'Rows are stored. No pipeline reads them yet.' : 'No pipeline is running.']
      : [`All is current: ${plural(running.length, 'pipeline')} within ${span(Math.max(1_000, Math.ceil(worst / 1000) * 1000)).replace('.0', '')}.`];
  return { health: running.length === 0 ? 'nodata' : 'ok', headline, evidence, href: null };
}

export interface OperatorInfo {
  id: string;
  name: string;
  kind: string;
  detail: string;
  inputs: string[];
  rowsIn: number | null;
  rowsOut: number | null;
  inPerS: number | null;
  outPerS: number | null;
  backlog: number | null;
  watermarkMs: number | null;
  stateBytes: number | null;
  busy: number | null;
}

export type Role = 'cause' | 'held' | 'even';

/** Which operator holds a late pipeline, and which wait for it. Nobody, while it keeps up. */
export function roles(pipeline: PipelineInfo, operators: OperatorInfo[]): Map<string, Role> {
  const result = new Map<string, Role>(operators.map((operator) => [operator.id, 'even']));
  if (pipelineHealth(pipeline) !== 'warn') return result;
  const cause = [...operators].sort((a, b) => (b.busy ?? 0) - (a.busy ?? 0))[0];
  if (!cause || (cause.busy ?? 0) < FULL_CORE) return result;
  result.set(cause.id, 'cause');
  const byId = new Map(operators.map((operator) => [operator.id, operator]));
  const above = [...cause.inputs];
  for (let at = 0; at < above.length && at < 1_000; at += 1) {
    const operator = byId.get(above[at] ?? '');
    if (!operator || result.get(operator.id) !== 'even') continue;
    result.set(operator.id, 'held');
    above.push(...operator.inputs);
  }
  return result;
}

export function pipelineVerdict(pipeline: PipelineInfo, operators: OperatorInfo[]): Verdict {
  const none = { href: null };
  if (pipeline.state === 'failed') {
    return { health: 'critical', headline: ['Failed: ', bare(pipeline.reason || 'no reason was given'), '.'], evidence: ['It writes nothing more, and what it wrote before stays. Drop it, or start the server again once the cause is gone: it goes on from its last checkpoint.'], ...none };
  }
  if (pipeline.state === 'restarting') {
    return { health: 'warn', headline: ['Failed, and started again: ', bare(pipeline.reason || 'no reason was given'), '.'], evidence: ['It goes on from its last checkpoint. The same failure three times at the same place stops it.'], ...none };
  }
  if (pipeline.state === 'stopped' || pipeline.state === 'finished') {
    const word = pipeline.state === 'stopped' ? 'Stopped' : 'Finished';
    return { health: pipelineHealth(pipeline), headline: [`${word}${pipeline.reason ? `: ${bare(pipeline.reason)}` : ''}.`], evidence: [], ...none };
  }
  if (pipeline.state === 'suspended') return { health: 'off', headline: ['Suspended: it reads and writes nothing.'], evidence: ['Its state is kept, over restarts too. Resume goes on where it stopped.'], ...none };
  const role = roles(pipeline, operators);
  const cause = operators.find((operator) => role.get(operator.id) === 'cause');
  if (cause) {
    const rest = Math.max(0, ...operators.filter((o) => o.id !== cause.id).map((o) => o.busy ?? 0));
    return { health: 'critical', headline: [`${span(pipeline.behindMs)} behind: `, { code: cause.name }, ' fills one core.'], evidence: [`${count(pipeline.backlog)} rows wait. It handles ${rate(cause.inPerS)} rows/s; the rest is at most ${percent(rest)} busy.`], ...none };
  }
  if (pipelineHealth(pipeline) === 'warn') return { ...behindVerdict(pipeline, ['This pipeline ']), ...none };
  const lag = pipeline.behindMs === null ? 'Running.' : `Current: ${span(pipeline.behindMs)} behind.`;
  return { health: 'ok', headline: [lag], evidence: [`${rate(pipeline.inPerS)} rows/s in, ${rate(pipeline.outPerS)} out, at ${percent(pipeline.busy)} of a core.`], ...none };
}
