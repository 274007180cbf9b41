import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertsVerdict, overviewVerdict, pipelineVerdict, roles, type OperatorInfo, type Words } from '../src/verdict';
import type { AlertInfo } from '../src/wire/alerts';
import type { PipelineInfo, TableInfo } from '../src/wire/catalog.svelte';

const text = (words: Words) => words.map((word) => (typeof word === 'string' ? word : word.code)).join('');
const pipeline = (more: Partial<PipelineInfo>): PipelineInfo => ({
  id: 'p1', name: 'orders_1m', kind: 'materialized table', state: 'running', reason: '', sql: '', target: 'orders_1m', sources: ['orders'], startedMs: 0, inPerS: 1200, outPerS: 20,
  busy: 0.09, behindMs: 400, backlog: 0, watermarkMs: 0, stateBytes: 0, catchingUp: false, ...more,
});
const operator = (id: string, inputs: string[], busy: number): OperatorInfo => ({ id, name: `op${id}`, kind: '', detail: '', inputs, rowsIn: 0, rowsOut: 0, inPerS: 18_400, outPerS: 18_400, backlog: 0, watermarkMs: null, stateBytes: 0, busy });
const topic: TableInfo = { name: 'orders', bare: 'orders', database: '', kind: 'topic', connector: '', format: '', columns: [], rows: 5, bytes: 0, rowsPerS: 1240, newestMs: 0, watermarkMs: null, writtenBy: [], readBy: [], late: 0, quarantined: 0, ddl: '' };

test('the worst thing is the verdict', () => {
  const failed = pipeline({ id: 'p2', name: 'cards', state: 'failed', reason: 'division by zero' });
  const late = pipeline({ behindMs: 40_000, backlog: 1 });
  const worst = overviewVerdict([topic], [late, failed], undefined);
  assert.equal(worst.health, 'critical');
  assert.equal(text(worst.headline), 'cards has failed and writes nothing more.');
  assert.match(text(worst.evidence), /^Division by zero\. One other pipeline keeps running/);
  assert.equal(worst.href?.path, '/pipelines/p2');
  const second = overviewVerdict([topic], [late], undefined);
  assert.equal(text(second.headline), 'orders_1m is 40 s behind.');
  assert.match(text(second.evidence), / 1 row waits in its sources/);
});

test('a nearly full disk is said before producers are refused', () => {
  const server = { version: '', name: '', started_ms: 0, incarnation: 1, doors: {}, cores: 2, memory: { used_bytes: 0, budget_bytes: 1 }, disk: { used_bytes: 98e9, free_bytes: 2e9 } };
  assert.match(text(overviewVerdict([topic], [pipeline({})], server).headline), /2\.0 GB are free/);
});

test('a full disk, a restart and a quarantine that fills are no good news', () => {
  const server = { version: '', name: '', started_ms: 0, incarnation: 1, doors: {}, cores: 2, memory: { used_bytes: 0, budget_bytes: 1 }, disk: { used_bytes: 20e9, free_bytes: 500e9, limit_bytes: 20e9, state: 'full' } };
  assert.match(text(overviewVerdict([topic], [pipeline({})], server).evidence), /20\.0 GB are used of the 20\.0 GB that --disk allows/);
  const again = overviewVerdict([topic], [pipeline({ state: 'restarting', reason: 'division by zero' })], undefined);
  assert.equal(again.health, 'warn');
  assert.match(text(again.evidence), /^Division by zero\. It goes on/);
  const filling = overviewVerdict([topic], [pipeline({})], undefined, [], [{ name: 'orders', rows: 12 }]);
  assert.equal(text(filling.headline), 'Rows of orders cannot be read and are set aside.');
  assert.equal(filling.href?.path, '/data/orders');
});

test('when all is well it says so with the figures', () => {
  const well = overviewVerdict([topic], [pipeline({})], undefined);
  assert.equal(well.health, 'ok');
  assert.equal(text(well.headline), 'All is current: 1 pipeline within 1 s.');
  assert.match(text(well.evidence), /1,240 rows\/s arrive in 1 topic/);
});

test('the cause is the full operator, held are all above it, and nobody while the pipeline keeps up', () => {
  const operators = [operator('1', [], 0.1), operator('2', ['1'], 0.2), operator('3', ['2'], 0.97), operator('4', ['3'], 0.3)];
  assert.deepEqual([...roles(pipeline({ behindMs: 40_000 }), operators).values()], ['held', 'held', 'cause', 'even']);
  assert.deepEqual(new Set(roles(pipeline({}), operators).values()), new Set(['even']));
  assert.equal(text(pipelineVerdict(pipeline({ behindMs: 53_000 }), operators).headline), '53 s behind: op3 fills one core.');
  assert.match(text(pipelineVerdict(pipeline({}), operators).headline), /^Current: 0\.4 s behind/);
});

const alert = (more: Partial<AlertInfo>): AlertInfo => ({
  name: 'cards', severity: 'critical', state: 'ok', firing: 0, sinceMs: null, silenced: false, silencedUntilMs: null, query: '', notify: 'oncall', pipeline: 'p', reason: '', waiting: 0, dropped: 0, leftOut: 0,
  lastError: '', fired: 0, lastEvent: '', lastEventMs: null, runbook: '', ...more,
});

test('what fires is said, the gravest first; what is silenced is not', () => {
  assert.equal(text(alertsVerdict([alert({})]).headline), 'Nothing fires of one alert.');
  const firing = [alert({ name: 'slow', severity: 'warning', state: 'firing', firing: 3, sinceMs: 1 }), alert({ state: 'firing', firing: 1, sinceMs: 9 })];
  assert.equal(text(alertsVerdict(firing).headline), '2 alerts fire, cards first.');
  assert.equal(overviewVerdict([topic], [pipeline({})], undefined, firing).href?.path, '/alerts');
  const silenced = alertsVerdict([alert({ state: 'firing', firing: 1, silenced: true }), alert({ name: 'b', state: 'no data' })]);
  assert.equal(text(silenced.headline), 'b gets no data.');
  assert.match(text(silenced.evidence), /1 alert silenced/);
  const deaf = alertsVerdict([alert({ waiting: 2, lastError: 'hooks:443: answered 503' })]);
  assert.equal(deaf.health, 'warn');
  assert.match(text(deaf.evidence), /2 messages of cards could not be delivered: Hooks:443: answered 503\./);
  assert.match(text(alertsVerdict([alert({ state: 'error', reason: 'no table' })]).headline), /cards watches nothing: no table\./);
});
