import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as f from '../src/format';

test('counts and rates keep three figures and never lose a small one', () => {
  assert.deepEqual([0, 999_999, 8_412_907, 59_800_000, 1.2e9].map(f.count), ['0', '999,999', '8.41 M', '59.8 M', '1.20 G']);
  assert.deepEqual([0, 0.2, 9.94, 24_195.4, null].map(f.rate), ['0', '0.2', '9.9', '24,195', '–']);
  assert.deepEqual([0, 0.004, 0.38, 1.2].map(f.percent), ['0 %', '< 1 %', '38 %', '120 %']);
});

test('sizes and spans change their unit before they grow long', () => {
  assert.deepEqual([0, 999, 1_912_000, 3.1e9].map(f.bytes), ['0 B', '999 B', '1.9 MB', '3.1 GB']);
  assert.equal(f.bytesOf(4.1e8, 8e9), '0.4 of 8 GB');
  assert.deepEqual([0, 400, 40_000, 720_000, 8_040_000, 4e8].map(f.span), ['0 s', '0.4 s', '40 s', '12 min', '2 h', '5 d']);
});

test('times move to the zone, unless they have none of their own', () => {
  const at = Date.parse('2026-11-21T09:03:05.112Z');
  assert.equal(f.clock(at, 'Europe/Berlin'), '10:03:05');
  assert.equal(f.cellText('2026-11-21T09:03:05.112Z', 'timestamptz', 'Europe/Berlin', at), '10:03:05.112');
  assert.equal(f.cellText('2026-11-21T09:03:05', 'timestamp', 'Europe/Berlin', at), '09:03:05');
  assert.equal(f.cellText('2026-11-20 09:03:05', 'timestamp', 'Europe/Berlin', at), '2026-11-20 09:03:05');
  assert.equal(f.cellText(null, 'int8', 'UTC', at), 'NULL');
  assert.equal(f.cellText('9007199254740993', 'int8', 'UTC', at), '9007199254740993');
});

test('numbers come as numbers or as text', () => {
  assert.deepEqual([f.numberOf('12.50'), f.numberOf(3), f.numberOf('x'), f.numberOf(null), f.numberOf('')], [12.5, 3, null, null, null]);
  assert.deepEqual([f.rangeMs('15m'), f.rangeMs('2h'), f.rangeMs('soon'), f.rangeMs(undefined)], [900_000, 7_200_000, null, null]);
});
