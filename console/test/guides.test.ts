import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inline, read } from '../guides/markdown';
import { GROUPS, guideOf, nameOf } from '../guides/plugin';

test('text becomes HTML and nothing of it is markup by accident', () => {
  const nowhere = () => null;
  assert.equal(inline('a <b> & `x < y` **is** *so*', nowhere), 'a &lt;b&gt; &amp; <code>x &lt; y</code> <strong>is</strong> <em>so</em>');
  assert.equal(inline('`` `value` DOUBLE `` in [`t`](x.md) and *.sql', () => '/docs/x'), '<code>`value` DOUBLE</code> in <a href="/docs/x"><code>t</code></a> and *.sql');
  assert.equal(inline('[there](no.md)', nowhere), 'there');
});

test('blocks are told apart', () => {
  const guide = read('# A\n\none\ntwo\n\n## B c\n\n- x\n  more\n- y\n\n```sql\nSELECT 1\n```\n\n| a | b |\n|---|---|\n| `\\|` | 2 |\n', () => null);
  assert.equal(guide.title, 'A');
  assert.deepEqual(guide.headings, [{ level: 2, text: 'B c', slug: 'b-c' }]);
  assert.deepEqual(guide.pieces[0], { html: '<p>one two</p><h2 id="b-c">B c</h2><ul><li>x more</li><li>y</li></ul>' });
  assert.deepEqual(guide.pieces[1], { code: 'SELECT 1', lang: 'sql' });
  assert.match((guide.pieces[2] as { html: string }).html, /<td><code>\|<\/code><\/td><td>2<\/td>/);
});

test('every guide has a title, and every link of it leads to a heading that is there', () => {
  const files = GROUPS.flatMap(([, all]) => all);
  const guides = new Map(files.map((file) => [nameOf(file), guideOf('../docs', file)]));
  assert.equal(guides.size, files.length, 'two guides of one name');
  for (const [name, guide] of guides) {
    assert.ok(guide.title, name);
    for (const piece of guide.pieces) {
      if (!('html' in piece)) continue;
      for (const [, to = ''] of piece.html.matchAll(/href="\/docs\/?([^"]*)"/g)) {
        if (to === '') continue;
        const [target = '', hash] = to.split('#');
        assert.ok(guides.has(target), `${name}: ${to}`);
        if (hash) assert.ok(guides.get(target)?.headings.some((heading) => heading.slug === hash), `${name}: ${to}`);
      }
    }
  }
});
