import assert from 'node:assert/strict';
import { test } from 'node:test';
import { place } from '../src/chart/labels';
import { linesOf, measure, stack } from '../src/chart/model';
import { sparkPath } from '../src/chart/spark';
import type { Answer, Cell } from '../src/wire/api';

function answer(rows: Cell[][]): Answer {
  const columns = [{ name: 't', type: 'timestamptz' }, { name: 's', type: 'text' }, { name: 'v', type: 'float8' }];
  return { incarnation: 1, epoch: 1, as_of_ms: 0, columns, rows };
}
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

test('rows become lines by series, in the order of their names', () => {
  const { xs, lines } = linesOf(answer([[at(5), 'b', 2], [at(0), 'b', 1], [at(5), 'a', '3.5']]), 't', 'v', 's', false);
  assert.equal(xs.length, 2);
  assert.deepEqual(lines.map((line) => [line.name, line.color, line.values]), [['a', 1, [null, 3.5]], ['b', 2, [1, 2]]]);
});

test('missing time breaks the line and is a gap', () => {
  const rows = [0, 5, 10, 15, 40, 45].map((second) => [at(second), 'a', second]);
  const { xs, lines, gaps } = linesOf(answer(rows), 't', 'v', 's', false);
  assert.equal(xs.length, 7);
  assert.equal(lines[0]?.values[4], null);
  assert.deepEqual(gaps.map(([from, to]) => to - from), [25_000]);
});

test('beyond six the smallest are other, summed where areas are stacked', () => {
  const rows = Array.from({ length: 9 }, (_, i) => [at(0), `p${i}`, 10 - i]);
  const stacked = linesOf(answer(rows), 't', 'v', 's', true).lines;
  assert.deepEqual(stacked.map((line) => line.color), [1, 2, 3, 4, 5, 6, 0]);
  assert.deepEqual(stacked[6], { name: 'other, 3', color: 0, values: [4 + 3 + 2] });
  assert.equal(linesOf(answer(rows), 't', 'v', 's', false).lines.filter((line) => line.color === 0).length, 3);
  assert.deepEqual(stack(stacked).map((values) => values[0]), [10, 19, 27, 34, 40, 45, 54]);
});

test('figures stand with their units, bytes move to larger ones', () => {
  assert.deepEqual(measure(8.2e9, 'B'), ['8.2', 'GB']);
  assert.deepEqual(measure(430_000, 'B/s'), ['430', 'kB/s']);
  assert.deepEqual(measure(39.84, '%', 1), ['39.8', '%']);
  assert.deepEqual(measure(null, '%'), ['–', '%']);
});

test('labels stay inside and never overlap', () => {
  const tops = place([10, 11, 12, 200], 16, 0, 120);
  const order = [...tops].sort((a, b) => a - b);
  order.slice(1).forEach((top, i) => assert.ok(top - (order[i] ?? 0) >= 16 - 1e-9));
  assert.ok((order[0] ?? -1) >= 8 && (order[3] ?? 999) <= 112);
});

test('a small line needs two points and ends at the right', () => {
  assert.equal(sparkPath([1], 56, 16, true), null);
  assert.equal(sparkPath([1, 2, 3], 56, 16, true, 30)?.endX, 53.5);
});
