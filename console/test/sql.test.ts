import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokens } from '../src/parts/sql';
import { csvOf } from '../src/sql/csv';
import { examples, markOf } from '../src/sql/help';
import { sections } from '../src/sql/plan';
import { Run, typed } from '../src/sql/run.svelte';
import { kindOf, madeBefore, offsetOf, placed, queryFrom, scriptOf, split, statementAt, titleOf } from '../src/sql/split';

const TEXT = `-- one; not an end
SET 'a' = 'x;y';
SELECT 1; /* two; */ INSERT INTO t WITH c AS (SELECT 1) SELECT * FROM c;
BEGIN STATEMENT SET; INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM s; INSERT INTO b SELECT 2; END;
CREATE MATERIALIZED TABLE m WITH ('k' = 'v') AS SELECT * FROM t`;

test('a text is cut into statements as the server cuts it', () => {
  const all = split(TEXT);
  assert.deepEqual(all.map((each) => kindOf(each.text)), ['session', 'query', 'insert', 'set', 'materialized']);
  assert.equal(all[0]?.start, 0);
  assert.equal(TEXT.slice(all[2]?.start).startsWith('/* two; */'), true);
  assert.match(all[3]?.text ?? '', /^BEGIN[\s\S]*END$/);
  assert.equal(all[4]?.to, TEXT.length);
  assert.deepEqual(split(' -- nothing\n;;'), []);
});

test('the place of the cursor chooses a statement', () => {
  const all = split(TEXT);
  const at = (text: string) => statementAt(all, TEXT.indexOf(text));
  assert.equal(at('SELECT 1;'), all[1]);
  assert.equal(at('not an end'), all[0]);
  assert.equal(statementAt(all, TEXT.length), all[4]);
});

test('a query is found inside of what writes', () => {
  const query = (sql: string) => { const [one] = split(sql); const at = one ? queryFrom(one) : null; return at === null ? null : sql.slice(at); };
  assert.equal(query("CREATE MATERIALIZED TABLE m WITH ('k' = 'v') AS SELECT 1 AS x"), 'SELECT 1 AS x');
  assert.equal(query('INSERT INTO t (a, b) SELECT 1, 2'), 'SELECT 1, 2');
  assert.equal(query('INSERT INTO t WITH c AS (SELECT 1) SELECT * FROM c'), 'WITH c AS (SELECT 1) SELECT * FROM c');
  assert.equal(query('CREATE VIEW v (a) AS SELECT 1'), 'SELECT 1');
  assert.equal(query('CREATE TABLE t (a INT)'), null);
  assert.equal(query('DROP TABLE t'), null);
});

test('what is sent keeps its place, with the settings above it', () => {
  const all = split(TEXT);
  const script = scriptOf(TEXT, all, all[4]!, 'query');
  assert.equal(script.text.split('\n').length, 5);
  assert.equal(script.text.indexOf('SELECT * FROM t'), TEXT.lastIndexOf('SELECT * FROM t'));
  assert.match(script.text, /^ *-- one; not an end\nSET 'a' = 'x;y';\n/);
  assert.ok(!script.text.includes('INSERT'));
  const plan = scriptOf('SELECT a;\n  SELECT b', split('SELECT a;\n  SELECT b'), split('SELECT a;\n  SELECT b')[1]!, 'plan');
  assert.equal(plan.text, '         \n  EXPLAIN SELECT b');
  assert.deepEqual(placed({ line: 2, column: 18 }, plan), { line: 2, column: 10 });
  assert.deepEqual(placed({ line: 3, column: 18 }, plan), { line: 3, column: 18 });
});

test('line and column count characters', () => {
  assert.equal(offsetOf('ab\n😀x y', 2, 2), 5);
  assert.equal(offsetOf('ab\ncd', 9, 9), 5);
  const mark = markOf("SELECT '😀', nme FROM t", { kind: 'user', message: 'm', line: 1, column: 13, length: 3, hint: "did you mean 'name'? columns: name" });
  assert.equal("SELECT '😀', nme FROM t".slice(mark?.from, mark?.to), 'nme');
  assert.equal(mark?.fix?.text, 'name');
});

test('tabs have the name of what a statement is about', () => {
  assert.equal(titleOf('SELECT * FROM TUMBLE(TABLE orders, DESCRIPTOR(ts))'), 'orders');
  assert.equal(titleOf('INSERT INTO `out` SELECT * FROM s'), 'out');
  assert.equal(titleOf('CREATE MATERIALIZED TABLE IF NOT EXISTS m AS SELECT 1'), 'm');
  assert.equal(titleOf('SHOW TABLES'), 'show tables');
  assert.deepEqual([...madeBefore(split('CREATE TABLE t (a INT); SELECT * FROM t'), split('CREATE TABLE t (a INT); SELECT * FROM t')[1]!)], ['t']);
});

test('types of a stream come from its values', () => {
  const types = (...cells: unknown[]) => typed(['c'], cells.map((cell, n) => ({ n, op: '+I', row: [cell as never] })))[0]?.type;
  assert.equal(types(1, null, 2), 'int8');
  assert.equal(types(1, 2.5), 'float8');
  assert.equal(types('12.50', '3.00'), 'numeric');
  assert.equal(types('01234', '12'), 'text');
  assert.equal(types('2026-11-22T00:19:39.999Z'), 'timestamptz');
  assert.equal(types('2026-11-22T00:19:39'), 'timestamp');
  assert.equal(types(null), 'text');
});

test('a plan is read by its indentation, what runs first', () => {
  const found = sections('== Abstract Syntax Tree ==\nA(x)\n== Optimized Execution Plan ==\nGroup(by=[a])\n+- Exchange(d)\n   +- Scan(t)\n== State ==\nkeeps one entry\n');
  assert.deepEqual(found.map((section) => section.title), ['Optimized Execution Plan', 'State', 'Abstract Syntax Tree']);
  assert.deepEqual(found[0]?.lines, [{ depth: 0, name: 'Group', rest: '(by=[a])' }, { depth: 1, name: 'Exchange', rest: '(d)' }, { depth: 2, name: 'Scan', rest: '(t)' }]);
  assert.equal(found[2]?.folded, true);
});

test('a file of rows tells NULL from an empty text', () => {
  assert.equal(csvOf([{ name: 'a', type: 'text' }, { name: 'b', type: 'text' }], [[null, ''], ['x,"y"', 1]]), 'a,b\r\n,""\r\n"x,""y""",1\r\n');
});

test('functions are coloured as keywords, and every text comes back whole', () => {
  const sql = "SELECT MY_FN(a) -- x\nFROM `t` WHERE b = 'y'";
  assert.equal(tokens(sql).map((token) => token.text).join(''), sql);
  assert.equal(tokens(sql).find((token) => token.text === 'MY_FN')?.kind, 'keyword');
});

test('an empty server gets statements that make something', () => {
  assert.match(examples([])[0]?.sql ?? '', /^CREATE TABLE/);
});

/** A server that sends these pieces of text, and then waits or ends. */
function serve(pieces: string[], ends: boolean): () => void {
  const before = globalThis.fetch;
  globalThis.fetch = (async (_path: unknown, init: RequestInit) => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
        if (ends) controller.close();
        init.signal?.addEventListener('abort', () => controller.error(new Error('aborted')));
      },
    });
    return new Response(body, { status: 200 });
  }) as typeof fetch;
  return () => (globalThis.fetch = before);
}

test('a changed row keeps its place, a deleted one goes, lines may be cut anywhere', async () => {
  const text = '{"columns":["k","n"]}\n{"op":"+I","row":["a",1]}\n{"op":"+I","row":["b",1]}\n{"note":"x"}\n{"op":"-U","row":["a",1]}\n{"op":"+U","row":["a",2]}\n{"op":"+I","row":["c\\n,",1]}\n{"op":"-D","row":["b",1]}\n\n';
  for (const cut of [1, 7, 40, text.length]) {
    const done = serve(text.match(new RegExp(`[^]{1,${cut}}`, 'g')) ?? [], true);
    const run = new Run('preview', 't', 'SELECT 1');
    await run.start((refusal) => refusal);
    done();
    assert.equal(run.state, 'ended');
    assert.deepEqual(run.rows.map((change) => change.row), [['a', 2], ['c\n,', 1]]);
    assert.equal(run.total, 6);
    assert.deepEqual(run.changes.map((change) => change.op), ['+I', '+I', '-U', '+U', '+I', '-D']);
    assert.deepEqual(run.columns.map((column) => column.type), ['text', 'int8']);
  }
});

test('an error in the middle keeps the rows before it; a cancel ends the request', async () => {
  let done = serve(['{"op":"+I","row":[1]}\n', '{"error":{"kind":"user","message":"no","line":1,"column":2}}\n'], true);
  const failed = new Run('preview', 't', 'SELECT 1');
  await failed.start((refusal) => ({ ...refusal, line: 7 }));
  done();
  assert.deepEqual([failed.state, failed.refusal?.message, failed.refusal?.line, failed.rows.length], ['failed', 'no', 7, 1]);
  done = serve(['{"op":"+I","row":[1]}\n'], false);
  const endless = new Run('preview', 't', 'SELECT 1');
  const ended = endless.start((refusal) => refusal);
  await new Promise((wake) => setTimeout(wake, 20));
  endless.cancel();
  await ended;
  done();
  assert.equal(endless.state, 'cancelled');
  assert.equal(endless.refusal, null);
});
