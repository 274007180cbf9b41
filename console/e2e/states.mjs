// What a page says when something is wrong, each brought about on a server of its own: a disk that is full, a pipeline that a bad
// record has stopped, a quarantine that fills, a window that waits for its watermark.

import assert from 'node:assert/strict';
import { open } from './browser.mjs';
import { psql } from './servers.mjs';

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

export function stateChecks({ mock, start, axe, settled, shot, eventually, post, LIMIT_MS }) {
  const both = async (page, where) => { for (const theme of ['light', 'dark']) await axe(page, theme, where); };

  /** The disk's budget is used up: the overview says so and what it means, and that it is over. */
  async function diskFull({ browser }) {
    if (mock) return;
    const server = await start(['--disk', '3m']);
    try {
      await psql(server, 'CREATE TABLE big (id INT, filler STRING)');
      await psql(server, 'CREATE MATERIALIZED TABLE big_count AS SELECT COUNT(*) AS n FROM big');
      const page = await open(browser, server.base);
      const filler = 'x'.repeat(12_000);
      let refused = null;
      for (let id = 0; id < 400 && refused === null; id += 1) {
        const answer = await post(server.base, 'big', { id, filler });
        if (answer.status === 507) refused = (await answer.json()).error;
        // The folder is looked at twice a second.
        await sleep(id < 190 ? 2 : 60);
      }
      assert.match(refused?.message ?? '', /no rows are taken/);
      await page.waitForSelector('[data-testid=verdict][data-health=critical]:has-text("The disk is full: no rows are taken.")', { timeout: LIMIT_MS });
      assert.match(await page.textContent('[data-testid=verdict]'), /of the 3\.\d MB that --disk allows/);
      await both(page, 'a full disk');
      await shot(page, 'disk-full');
      await page.click('[data-testid=verdict] a:has-text("See the budget")');
      await page.waitForSelector('[data-testid=budgets]:has-text("full")', { timeout: LIMIT_MS });
      await both(page, 'the budget of a full disk');
      await shot(page, 'disk-full-settings');
      await psql(server, 'DROP MATERIALIZED TABLE big_count');
      await psql(server, 'DROP TABLE big');
      await psql(server, 'CREATE TABLE small (id INT)');
      await eventually('rows are taken again', LIMIT_MS, async () => (await post(server.base, 'small', { id: 1 })).status === 200);
      await page.goto(server.base);
      await eventually('the overview has it', LIMIT_MS, async () => !/disk is full/.test(await page.textContent('main')));
      await settled(page);
    } finally {
      await server.stop();
    }
  }

  /** A pipeline that may not skip stops at the record, which is shown wherever it is missed. */
  async function badRecord({ browser }) {
    if (mock) return;
    const server = await start([]);
    try {
      await psql(server, 'CREATE TABLE parts (id INT, pieces INT)');
      const script = "SET 'arus.exec.error-policy' = 'fail'; CREATE MATERIALIZED TABLE shares AS SELECT id, 100 / pieces AS share FROM parts";
      const answer = await (await fetch(`${server.base}/v1/sql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql: script }) })).text();
      assert.doesNotMatch(answer, /"error"/);
      await psql(server, 'CREATE MATERIALIZED TABLE parts_count AS SELECT COUNT(*) AS n FROM parts');
      const page = await open(browser, server.base);
      await post(server.base, 'parts', { id: 1, pieces: 4 });
      await eventually('a share', LIMIT_MS, async () => (await psql(server, 'SELECT share FROM shares')).length === 1);
      await post(server.base, 'parts', { id: 2, pieces: 0 });
      await page.waitForSelector('[data-testid=verdict][data-health=critical]:has-text("shares has failed and writes nothing more.")', { timeout: LIMIT_MS });
      assert.match(await page.textContent('[data-testid=verdict]'), /"pieces":0/, 'the record is not shown');
      assert.match(await page.textContent('[data-testid=verdict]'), /One other pipeline keeps running\./);
      await both(page, 'a failed pipeline on the overview');
      await shot(page, 'bad-record');
      await page.click('[data-testid=verdict] a:has-text("Open shares")');
      await page.waitForSelector('[data-testid=verdict][data-health=critical]:has-text("Failed")', { timeout: LIMIT_MS });
      await both(page, 'a failed pipeline');
      await shot(page, 'bad-record-pipeline');
      await page.goto(`${server.base}/data/shares`);
      await page.waitForSelector('[data-testid=rows] td[data-value="25"]', { timeout: LIMIT_MS });
      await page.waitForSelector('[data-testid=why]:has-text("shares has failed and writes nothing more")');
      await shot(page, 'bad-record-table');
      await both(page, 'the table of a failed pipeline');
      await settled(page);
    } finally {
      await server.stop();
    }
  }

  /** Bad rows while somebody looks; a window that nothing closes. */
  async function heldBack({ browser }) {
    if (mock) return;
    const server = await start([]);
    try {
      await psql(server, 'CREATE TABLE visits (id INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts)');
      await psql(server, "CREATE MATERIALIZED TABLE visits_1m AS SELECT window_end, COUNT(*) AS n FROM TUMBLE(TABLE visits, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end");
      await post(server.base, 'visits', { id: 1, ts: '2026-01-01 10:00:00Z' });
      const page = await open(browser, `${server.base}/data/visits_1m`);
      await page.click('[data-testid=why] button');
      await eventually('the reason', LIMIT_MS, async () => /watermark of visits/.test(await page.textContent('[data-testid=why] [role=status]')));
      await shot(page, 'held-by-watermark');
      await page.goto(`${server.base}/sql?sql=${encodeURIComponent('SELECT * FROM visits_1m')}`);
      await page.waitForSelector('.cm-content');
      await page.click('.cm-content');
      await page.keyboard.press('Control+Enter');
      await page.waitForSelector('[data-testid=sql-why]', { timeout: LIMIT_MS });
      await shot(page, 'held-by-watermark-sql');
      await page.goto(server.base);
      await page.waitForSelector('[data-testid=verdict]');
      // What the page has seen is what it compares with.
      await shot(page, 'quarantine-before');
      await page.waitForSelector('main code:text-is("visits")', { timeout: LIMIT_MS });
      await sleep(2_500);
      for (let id = 0; id < 5; id += 1) await post(server.base, 'visits', { id: `no number ${id}`, ts: '2026-01-01 10:00:01Z' });
      await page.waitForSelector('[data-testid=verdict][data-health=warn]:has-text("Rows of visits cannot be read and are set aside.")', { timeout: LIMIT_MS });
      await both(page, 'a quarantine that fills');
      await shot(page, 'quarantine-fills');
      await page.click('[data-testid=verdict] a:has-text("See the quarantine of visits")');
      await page.waitForSelector('[data-testid=quarantine] tbody td.critical', { timeout: LIMIT_MS });
      await shot(page, 'quarantine');
      await settled(page);
    } finally {
      await server.stop();
    }
  }

  return { diskFull, badRecord, heldBack };
}
