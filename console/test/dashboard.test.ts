import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { classesOf, heatOf, levelOf, ticks, topOf } from '../src/chart/shapes';
import { apply } from '../src/dashboard/changes';
import { freeId, moved, parametersOf, specOf } from '../src/dashboard/spec';
import { addItem, read, removeItem, setIn } from '../src/dashboard/yaml';

const BOARDS = ['host', 'shop', 'fraud'].map((name) => readFileSync(`../examples/demo/dashboards/${name}.yaml`, 'utf8'));

/** The lines of a text that are not in another. */
const differs = (a: string, b: string): string[] => a.split('\n').filter((line, i) => line !== b.split('\n')[i]);

test('an edit changes its own place and not a byte besides', () => {
  for (const text of BOARDS) {
    const value = read(text).value as { panels: { id: string; at: number[]; sql: string; y: { field: string } }[] };
    value.panels.forEach((panel, i) => {
      const next = setIn(text, ['panels', i, 'at'], [1, 2, 3, 4]);
      assert.deepEqual(differs(next, text).map((line) => line.replace(/ +#.*/, '')), ['    at: [1, 2, 3, 4]']);
      assert.equal(setIn(next, ['panels', i, 'at'], panel.at), text, 'and back');
      const unit = setIn(text, ['panels', i, 'y', 'unit'], 'a, b');
      assert.equal((read(unit).value as typeof value & { panels: { y: { unit: string } }[] }).panels[i]?.y.unit, 'a, b');
      assert.ok(differs(unit, text).length <= 1);
      // A statement of lines for one of a line, one of a line for one of lines, and again.
      const lines = setIn(text, ['panels', i, 'sql'], 'SELECT 1,\n\n  2\n');
      assert.equal((read(lines).value as typeof value).panels[i]?.sql, 'SELECT 1,\n\n  2\n');
      const one = setIn(lines, ['panels', i, 'sql'], 'SELECT 1');
      assert.deepEqual(read(one).value, { ...value, panels: value.panels.map((each, j) => (j === i ? { ...each, sql: 'SELECT 1' } : each)) });
      const comments = (of: string) => of.split('\n').flatMap((line) => /(^|\s)#.*/.exec(line)?.[0].trim() ?? []);
      assert.deepEqual(comments(one), comments(text));
      const removed = removeItem(text, ['panels'], i);
      assert.deepEqual((read(removed).value as typeof value).panels, value.panels.filter((_, j) => j !== i));
    });
    const added = addItem(text, ['panels'], { id: 'x', at: [0, 99, 6, 4], chart: 'line', sql: 'SELECT a\nFROM b\n', y: { field: 'a', unit: '%' } });
    assert.ok(added.startsWith(text), 'what was there stays');
    assert.deepEqual((read(added).value as typeof value).panels.at(-1), { id: 'x', at: [0, 99, 6, 4], chart: 'line', sql: 'SELECT a\nFROM b\n', y: { field: 'a', unit: '%' } });
  }
});

test('fields come, go and change in brackets and on lines', () => {
  const text = '# top\na: 1 # one\nm: {x: 1, y: 2}  # map\nl:\n  - id: p\n    t: old\n  - id: q\nend: yes\n';
  assert.equal(setIn(text, ['a'], 2), text.replace('a: 1', 'a: 2'));
  assert.equal(setIn(text, ['m', 'x'], undefined), text.replace('x: 1, ', ''));
  assert.equal(setIn(text, ['m', 'y'], undefined), text.replace(', y: 2', ''));
  assert.equal(setIn(text, ['m', 'z'], 'w: q'), text.replace('y: 2', "y: 2, z: 'w: q'"));
  assert.equal(setIn(text, ['l', 0, 't'], undefined), text.replace('    t: old\n', ''));
  assert.equal(setIn(text, ['l', 1, 't'], 'new'), text.replace('  - id: q\n', '  - id: q\n    t: new\n'));
  assert.equal(setIn(text, ['l', 1, 'y', 'field'], 'n'), text.replace('  - id: q\n', '  - id: q\n    y: {field: n}\n'));
  assert.equal(setIn(text, ['a'], 'x\ny\n'), text.replace('a: 1 # one', 'a: | # one\n  x\n  y'));
  for (const empty of ['title: T\npanels: []\n', 'title: T\npanels:\n', 'title: T\n', 'title: T']) assert.equal(addItem(empty, ['panels'], { id: 'a', at: [0, 0, 1, 1] }), 'title: T\npanels:\n  - id: a\n    at: [0, 0, 1, 1]\n', empty);
  assert.throws(() => setIn(text, ['a', 'b'], 1));
  assert.equal(read('a: [').error?.line, 1);
});

test('changes are made anew in another text by the names of panels', () => {
  const mine = 'panels:\n  - {id: a, y: n}\n  - {id: b, at: [0, 0, 1, 1]}\n';
  const change = { do: 'set', panel: 'b', path: ['at'], value: [1, 1, 2, 2] } as const;
  const theirs = mine.replace('panels:\n', 'panels:\n  - {id: new}\n');
  assert.ok(apply(theirs, { ...change, path: [...change.path] }).includes('{id: b, at: [1, 1, 2, 2]}'));
  assert.ok(apply(mine, { do: 'set', panel: 'a', path: ['y', 'unit'], value: '%' }).includes('y: {field: n, unit: \'%\'}') || apply(mine, { do: 'set', panel: 'a', path: ['y', 'unit'], value: '%' }).includes('y: {field: n, unit: "%"}'));
  assert.throws(() => apply('panels: []\n', { do: 'remove', panel: 'b' }), /no panel 'b'/);
});

test('title, range and variables change at their places', () => {
  const [, shop = ''] = BOARDS;
  const said = (text: string) => specOf(read(text).value, 'x');
  assert.deepEqual(differs(apply(shop, { do: 'set', panel: null, path: ['title'], value: 'Ours: all' }), shop), ["title: 'Ours: all'"]);
  const zoned = apply(shop, { do: 'set', panel: null, path: ['time', 'zone'], value: 'Europe/Berlin' });
  assert.equal(said(zoned).time.zone, 'Europe/Berlin');
  assert.equal(differs(zoned, shop).length, 1);
  // Where there is nothing yet it comes above the panels and what is said of them.
  const bare = '# about\ntitle: T\n\n# these\npanels: # none\n  []\n';
  const dated = apply(bare, { do: 'set', panel: null, path: ['time', 'last'], value: '1h' });
  assert.equal(dated, '# about\ntitle: T\n\ntime: {last: 1h}\n# these\npanels: # none\n  []\n');
  const made = apply(bare, { do: 'variable', name: 'c', path: [], value: { sql: 'SELECT c FROM t', multi: true } });
  assert.equal(made, '# about\ntitle: T\n\nvariables:\n  c: {sql: SELECT c FROM t, multi: true}\n# these\npanels: # none\n  []\n');
  const two = apply(made, { do: 'variable', name: 'd', path: [], value: { values: ['a', 'b, c'] } });
  assert.deepEqual(said(two).variables, { c: { sql: 'SELECT c FROM t', multi: true }, d: { values: ['a', 'b, c'] } });
  assert.deepEqual(said(apply(two, { do: 'variable', name: 'c', path: ['multi'], value: undefined })).variables['c'], { sql: 'SELECT c FROM t' });
  const one = apply(apply(two, { do: 'variable', name: 'c', path: [], value: undefined }), { do: 'variable', name: 'd', path: [], value: undefined });
  assert.deepEqual(said(one).variables, {});
  assert.deepEqual(said(apply(one, { do: 'variable', name: 'e', path: [], value: { default: 'x' } })).variables['e'], { default: ['x'] });
  // The short form is written out; a new name goes along in statements, not in what only looks like it.
  const short = "variables:\n  c: [a, b] # two\npanels:\n  - {id: p, sql: \"SELECT ':c', x::c FROM t WHERE y = :c\"}\n";
  assert.ok(apply(short, { do: 'variable', name: 'c', path: ['label'], value: 'L' }).includes('  c: {values: [a, b], label: L} # two\n'));
  const other = apply(short, { do: 'rename', variable: 'c', to: 'kind' });
  assert.equal(said(other).panels[0]?.sql, "SELECT ':c', x::c FROM t WHERE y = :kind");
  assert.ok(other.startsWith('variables:\n  kind: [a, b] # two\n'));
  assert.throws(() => apply(short, { do: 'rename', variable: 'gone', to: 'x' }), /no variable 'gone'/);
});

test('a file by hand is read as far as it goes', () => {
  const spec = specOf({ title: 7, panels: [{ y: 'n' }, null, { id: 'x', at: [11, 2, 6, 0], y: { field: 'v', min: 'no' } }], variables: { c: ['a', 1] } }, 'name');
  assert.equal(spec.title, 'name');
  assert.deepEqual(spec.panels.map((panel) => [panel.id, panel.at, panel.y.field]), [['panel-1', [0, 0, 6, 4], 'n'], ['panel-2', [0, 4, 6, 4], ''], ['x', [6, 2, 6, 1], 'v']]);
  assert.deepEqual(spec.variables['c'], { values: ['a', '1'] });
  assert.deepEqual(parametersOf("SELECT ':no', a::int, \":x\" FROM t WHERE b > :from AND c = ANY(:c) -- :d"), ['from', 'c']);
});

test('a panel that moves pushes down what lies there', () => {
  const panels = [{ id: 'a', at: [0, 0, 6, 4] }, { id: 'b', at: [6, 0, 6, 4] }, { id: 'c', at: [0, 4, 12, 2] }] as { id: string; at: [number, number, number, number] }[];
  assert.deepEqual([...moved(panels, 'a', [4, 0, 6, 4])], [['a', [4, 0, 6, 4]], ['b', [6, 4, 6, 4]], ['c', [0, 8, 12, 2]]]);
  assert.deepEqual([...moved(panels, 'b', [9, -2, 6, 4])], [['b', [6, 0, 6, 4]]]);
  assert.equal(freeId([{ id: 'new_panel' }], 'New panel'), 'new_panel_2');
});

test('classes, marks, levels and lists are round', () => {
  assert.deepEqual(classesOf([0, 1, 2.4, 9.9], 5), { bounds: [0, 2, 4, 6, 8, 10], counts: [2, 1, 0, 0, 1] });
  assert.deepEqual(classesOf([]), { bounds: [], counts: [] });
  assert.deepEqual(ticks(0, 100, 4), [0, 50, 100]);
  assert.deepEqual([50, 70, 95].map((value) => levelOf(value, 60, 90)), ['ok', 'warn', 'critical']);
  assert.deepEqual([50, 20, 5].map((value) => levelOf(value, 30, 10)), ['ok', 'warn', 'critical']);
  const answer = { incarnation: 1, epoch: 1, as_of_ms: 0, columns: [{ name: 'k', type: 'text' }, { name: 'g', type: 'text' }, { name: 'n', type: 'int8' }], rows: [['a', 'x', 1], ['b', 'x', '3'], ['a', 'y', null]] };
  assert.deepEqual(topOf(answer, 'k', 'n').map((each) => each.name), ['b', 'a', 'a']);
  assert.deepEqual(heatOf(answer, 'k', 'n', 'g').rows, [{ name: 'x', values: [1, 3] }, { name: 'y', values: [0, null] }]);
});
