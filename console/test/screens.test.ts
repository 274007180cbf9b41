import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sorted, sortOf, sortText } from '../src/parts/sort';
import { tokens } from '../src/parts/sql';
import { all, fold } from '../src/screens/fold';
import { arrange } from '../src/screens/layout';
import { textOf } from '../src/screens/held.svelte';
import { downstream, upstream } from '../src/screens/lineage';
import { filteredSql, flinkName, newestSql, quarantineSql, replaySql } from '../src/screens/object';
import { producers } from '../src/screens/producers';
import { addresses, secretsOf } from '../src/screens/server';
import type { OperatorInfo, Role } from '../src/verdict';
import type { PipelineInfo, TableInfo } from '../src/wire/catalog.svelte';

const column = (name: string, type: string) => ({ name, type, nullable: true, comment: '' });
const table = (more: Partial<TableInfo>): TableInfo => ({
  name: 'hello', bare: 'hello', database: 'default_database', kind: 'topic', connector: '', format: 'json', columns: [column('name', 'STRING'), column('n', 'INT')],
  rows: 0, bytes: 0, rowsPerS: 0, newestMs: null, watermarkMs: null, writtenBy: [], readBy: [], late: 0, quarantined: 0, ddl: '', ...more,
});
const doors = { http: '127.0.0.1:8081', postgres: '127.0.0.1:5433', kafka: '127.0.0.1:9093' };

test('commands carry the real ports and columns, and are quoted for the shell', () => {
  const commands = producers(table({}), doors);
  assert.deepEqual(commands.map((each) => each.tool), ['curl', 'kcat', 'psql']);
  assert.match(commands[0]?.command ?? '', /'\{"name":"Ada","n":1\}'[^]*127\.0\.0\.1:8081\/v1\/tables\/hello\/rows$/);
  assert.match(commands[1]?.command ?? '', /kcat -P -b 127\.0\.0\.1:9093[^]*-t hello$/);
  assert.match(commands[2]?.command ?? '', /-p 5433 -U arus[^]*INSERT INTO hello\n {3}VALUES \('Ada', 1\)"$/);
  for (const at of [0, 2]) assert.match(producers(null, doors)[at]?.command ?? '', /CREATE TABLE IF NOT/);
  assert.doesNotMatch(commands[0]?.command ?? '', /CREATE TABLE/);
  assert.deepEqual(producers(table({}), { postgres: doors.postgres }).map((each) => each.tool), ['psql']);
});

test('names are quoted in statements, other databases named', () => {
  const odd = table({ name: 'a"b', bare: 'a"b', columns: [column('ts', 'TIMESTAMP(3)')] });
  assert.equal(newestSql(odd, 50), 'SELECT * FROM "a""b" ORDER BY "ts" DESC LIMIT 50');
  assert.match(quarantineSql(table({ name: 'db.t', bare: 't', database: 'db' })), /FROM "db"\."t\$quarantine"/);
  assert.equal(newestSql(table({}), 5), 'SELECT * FROM "hello" LIMIT 5');
});

test('a graph is laid out in its order, downwards where it is narrow', () => {
  const operators = [{ id: '1', inputs: [] }, { id: '2', inputs: [] }, { id: '3', inputs: ['1', '2'] }, { id: '4', inputs: ['3', 'gone'] }];
  const wide = arrange(operators, 1_000);
  const x = (id: string) => wide.at.get(id)?.x ?? NaN;
  assert.ok(!wide.down && x('1') < x('3') && x('3') < x('4') && wide.width <= 1_000);
  assert.ok(arrange(operators, 358).down);
});

const chain = (names: string[]): OperatorInfo[] =>
  names.map((name, i) => ({ id: String(i), name, kind: '', detail: '', inputs: i === 0 ? [] : [String(i - 1)], rowsIn: 0, rowsOut: 0, inPerS: 0, outPerS: 0, backlog: 0, watermarkMs: null, stateBytes: 0, busy: 0 }));

test('the graph folds what only moves rows, and more where there is more', () => {
  const roles = new Map<string, Role>();
  const short = chain(['TableSourceScan', 'Calc', 'Exchange', 'GroupAggregate', 'Sink']);
  assert.deepEqual(fold(short, roles).map((each) => each.name), ['TableSourceScan', 'Calc', 'GroupAggregate', 'Sink']);
  const aggregate = fold(short, roles).find((each) => each.name === 'GroupAggregate');
  assert.deepEqual([aggregate?.inputs, aggregate?.via], [['1'], ['2']]);
  const long = chain(['TableSourceScan', 'Calc', 'Calc', 'Exchange', 'GroupAggregate', 'Calc', 'Exchange', 'GroupAggregate', 'Calc', 'Sink']);
  assert.deepEqual(fold(long, roles).map((each) => each.name), ['TableSourceScan', 'GroupAggregate', 'GroupAggregate', 'Sink']);
  assert.equal(fold(long, new Map<string, Role>([['1', 'cause']])).length, 5);
  assert.equal(all(long).length, long.length);
});

test('SQL text comes back whole from its coloured parts', () => {
  const sql = "SELECT 'it''s', `from` -- why 1\nFROM t /* x */ WHERE n >= 1.5";
  const parts = tokens(sql);
  assert.equal(parts.map((part) => part.text).join(''), sql);
  assert.deepEqual(parts.filter((part) => part.kind === 'keyword').map((part) => part.text), ['SELECT', 'FROM', 'WHERE']);
});

test('what is unknown is sorted last in both directions', () => {
  const rows = [3, null, 1, 2];
  assert.deepEqual(sorted(rows, (row) => row, 'ascending'), [1, 2, 3, null]);
  assert.deepEqual(sorted(rows, (row) => row, 'descending'), [3, 2, 1, null]);
});

test('one fix replays one group: the reason without the value that was found', () => {
  const odd = table({ bare: "it`s", name: "it`s" });
  assert.equal(replaySql(odd, 'LATE', null), 'ALTER TABLE `it``s` REPLAY LATE');
  assert.equal(replaySql(table({}), 'QUARANTINE', "field 'n': expected INT"), "ALTER TABLE `hello` REPLAY QUARANTINE WHERE reason = 'field ''n'': expected INT' OR STARTSWITH(reason, 'field ''n'': expected INT, found ')");
  assert.equal(flinkName(table({ name: 'db.t', bare: 't', database: 'db' })), '`db`.`t`');
  assert.equal(filteredSql(table({}), 'n > 5 -- many', 5), 'SELECT * FROM "hello" WHERE (n > 5 -- many\n) LIMIT 5');
  assert.equal(textOf('eyJuIjoiw6kifQ=='), '{"n":"é"}');
  assert.equal(textOf('AAE='), '··');
});

test('lineage goes all the way, and round no circle', () => {
  const pipe = (name: string, sources: string[], target: string) => ({ id: name, name, sources, target }) as PipelineInfo;
  const pipes = [pipe('a', ['in'], 'mid'), pipe('b', ['mid', 'side'], 'out'), pipe('c', ['out'], 'in')];
  const steps = (list: { table: string; depth: number }[]) => list.map((step) => `${step.depth} ${step.table}`);
  assert.deepEqual(steps(upstream(table({ name: 'out' }), pipes)), ['1 mid', '2 in', '1 side']);
  assert.deepEqual(steps(downstream(table({ name: 'side' }), pipes)), ['1 out', '2 in', '3 mid']);
});

test('the address holds the order of a table', () => {
  const keys: ('name' | 'busy')[] = ['name', 'busy'];
  const first = { key: 'name', direction: 'ascending' } as const;
  assert.deepEqual(sortOf(sortText({ key: 'busy', direction: 'descending' }), keys, first), { key: 'busy', direction: 'descending' });
  assert.deepEqual(sortOf('-nothing', keys, first), first);
});

test('secrets are named once each, by the tables that ask for them', () => {
  assert.deepEqual(secretsOf([{ name: 'b', ddl: "'p' = '${secret:pw}', 'q' = '${secret:pw}'" }, { name: 'a', ddl: "'p' = '${secret:key}'" }]), [{ name: 'key', tables: ['a'] }, { name: 'pw', tables: ['b'] }]);
  assert.deepEqual(addresses(doors).map((door) => door.command), ['http://127.0.0.1:8081', 'psql -h 127.0.0.1 -p 5433 -U arus arus', 'kcat -b 127.0.0.1:9093 -L']);
});

test('times of a copied row are as the format reads them', () => {
  const times = table({ columns: [column('ts', 'TIMESTAMP_LTZ(3)')] });
  assert.match(producers(times, doors)[0]?.command ?? '', /"2026-01-01 12:00:00Z"/);
  assert.match(producers({ ...times, ddl: "'json.timestamp-format.standard' = 'ISO-8601'" }, doors)[0]?.command ?? '', /"2026-01-01T12:00:00Z"/);
});
