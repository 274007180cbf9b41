// The browser test: node e2e/run.mjs --arus PATH [--demo-args ".."] | --mock   [--picture FILE] [--picture-after SECONDS] [--only NAME,..] [--front] [--shots FOLDER]
// --shots FOLDER keeps pictures of the login and of error states. --front takes the pages from `dist`, where the binary has older ones. Starts servers of its own on free ports and folders of its own, and stops exactly those.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { launch, open } from './browser.mjs';
import { dashboardChecks } from './dashboards.mjs';
import { loginChecks } from './login.mjs';
import { comparePictures } from './pictures.mjs';
import { stateChecks } from './states.mjs';
import { ask, available, freePort, psql, startArus, startMock } from './servers.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const args = process.argv.slice(2);
const option = (name, otherwise = null) => (args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : otherwise);
const mock = args.includes('--mock');
const binary = option('arus');
const picture = resolve(option('picture', `${root}/docs/images/demo.png`));
const front = args.includes('--front');
const only = option('only')?.split(',');
if (!mock && !(binary && existsSync(binary))) {
  console.error('usage: node e2e/run.mjs --arus PATH_TO_BINARY (or --mock)');
  process.exit(1);
}
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const demo = (ports) => (mock ? startMock([], ports) : startArus(binary, ['demo'], ports, front));
const bare = (ports) => (mock ? startMock(['--empty'], ports) : startArus(binary, [], ports, front));

/** A busy machine may be ten times slower: a limit only ends what would never come. */
const LIMIT_MS = 120_000;

async function eventually(what, limitMs, check) {
  const until = Date.now() + Math.max(limitMs, LIMIT_MS);
  let last;
  while (Date.now() < until) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`${what}: not within ${Math.max(limitMs, LIMIT_MS) / 1000} s (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`);
}

const post = (base, name, row) => fetch(`${base}/v1/tables/${name}/rows`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(row) });

/** Every screen with an address of its own, found as a reader would: from what the server has. */
async function screens(base) {
  const tables = await ask(base, 'SELECT name FROM arus.tables ORDER BY name');
  const pipelines = await ask(base, 'SELECT id FROM arus.pipelines ORDER BY id');
  const boards = await (await fetch(`${base}/v1/console/dashboards`)).json();
  const of = (answer, name) => answer.rows.map((row) => row[answer.columns.findIndex((column) => column.name === name)]);
  const kinds = [...of(tables, 'name').map((name) => `/data/${encodeURIComponent(name)}`), ...of(pipelines, 'id').map((id) => `/pipelines/${encodeURIComponent(id)}`), ...boards.map((board) => `/dashboards/${board.name}`)];
  return ['/', '/data', '/pipelines', '/sql', '/settings', '/dashboards', '/alerts', '/nothing/here', ...kinds];
}

/** That of the machine, whose figures move every second. */
async function firstBoard(base) {
  const board = await eventually('a dashboard', 10_000, async () => (await (await fetch(`${base}/v1/console/dashboards`)).json()).find((each) => each.name === 'host'));
  return `/dashboards/${board.name}`;
}

// ---- the checks; each gets a running demo and a browser

/** The charts move within 10 s of the start of the process. */
async function chartsMove({ browser, server }) {
  const page = await open(browser, server.base + (await firstBoard(server.base)));
  const ink = () => page.evaluate(() => [...document.querySelectorAll('.uplot canvas')].map((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let hash = 0;
    for (let i = 3; i < data.length; i += 4) hash = (hash * 31 + data[i]) | 0;
    return hash;
  }));
  const values = () => page.$$eval('[data-testid=value]', (all) => all.map((each) => each.dataset.value));
  await eventually('a chart is drawn', 10_000, async () => (await ink()).length > 0);
  const [firstInk, firstValues] = [await ink(), await values()];
  await eventually('a chart moves', 10_000, async () => (await ink()).some((hash, i) => hash !== firstInk[i]));
  const sinceStart = Date.now() - server.startedAt;
  if (firstValues.length > 0) await eventually('a figure moves', 10_000, async () => (await values()).some((value, i) => value !== firstValues[i]));
  console.log(`   charts moved ${(sinceStart / 1000).toFixed(1)} s after the start of the process`);
  assert.ok(sinceStart < 60_000 || !server.fresh, `charts moved only ${sinceStart} ms after the start`);
  await settled(page);
}

/** No figure of a keyed table differs from what psql says at the same epoch. */
async function figuresEqualPsql({ browser, server }) {
  const target = await countedTable(server);
  const page = await open(browser, `${server.base}/data/${target.name}`);
  await post(server.base, 'hello', { name: 'first', n: 0 });
  await page.waitForSelector('[data-testid=rows] tbody tr');
  const shown = new Map();
  const read = new Map();
  let both = 0;
  let compared = 0;
  const until = Date.now() + 30_000;
  let sent = 0;
  while (Date.now() < until && (both < 5 || compared < 5)) {
    sent += 1;
    await post(server.base, 'hello', { name: `n${sent % 3}`, n: sent });
    for (let i = 0; i < 4; i += 1) {
      const [inPage, inPsql] = await Promise.all([page.evaluate(readTable), psqlTable(server, target)]);
      if (inPage) shown.set(inPage.at, inPage.rows);
      if (inPsql) read.set(inPsql.at, inPsql.rows);
    }
    both = 0;
    compared = 0;
    for (const [at, rows] of shown) {
      const other = read.get(at);
      if (!other) continue;
      both += 1;
      if (rows.length > 0) compared += 1;
      assert.deepEqual([...rows].sort(), [...other].sort(), `at epoch ${at} the page and psql differ`);
    }
  }
  assert.ok(both >= 3, `only ${both} epochs were seen by both (page ${shown.size}, psql ${read.size})`);
  assert.ok(compared >= 3, `only ${compared} epochs with rows were seen by both`);
  console.log(`   ${target.name}: ${both} epochs compared, ${compared} of them with rows`);
  await settled(page);
}

function readTable() {
  const table = document.querySelector('[data-testid=rows]');
  if (!table) return null;
  const rows = [...table.querySelectorAll('tbody tr')].map((row) => [...row.querySelectorAll('td')].map((cell) => cell.dataset.value).join('|'));
  return { at: `${table.dataset.incarnation}.${table.dataset.epoch}`, rows };
}

/** A keyed table of plain numbers and text that events of `hello` change. */
async function countedTable(server) {
  const answer = await ask(server.base, 'SELECT name, columns, kind FROM arus.tables');
  const at = (name) => answer.columns.findIndex((column) => column.name === name);
  const plain = (columns) => columns.every((column) => /^(STRING|VARCHAR|CHAR|INT|BIGINT|SMALLINT|TINYINT)/i.test(column.type));
  const tables = answer.rows.filter((row) => row[at('kind')] === 'keyed table' && plain(JSON.parse(row[at('columns')])));
  const named = tables.find((row) => /^hello/.test(row[at('name')])) ?? tables[0];
  if (named) return { name: named[at('name')], columns: JSON.parse(named[at('columns')]).map((column) => column.name) };
  if (mock) throw new Error('the mock has no keyed table of plain columns');
  await psql(server, 'CREATE MATERIALIZED TABLE console_counts AS SELECT name, COUNT(*) AS events, SUM(n) AS total FROM hello GROUP BY name');
  return { name: 'console_counts', columns: ['name', 'events', 'total'] };
}

async function psqlTable(server, target) {
  if (mock) {
    const answer = await ask(server.base, `SELECT * FROM "${target.name}"`);
    return { at: `${answer.incarnation}.${answer.epoch}`, rows: answer.rows.map((row) => row.map((cell) => cell ?? '').join('|')) };
  }
  const columns = target.columns.map((column) => `t."${column}"`).join(', ');
  const lines = await psql(server, `SELECT e.incarnation, e.epoch, ${columns} FROM arus.epochs e LEFT JOIN "${target.name}" t ON TRUE`);
  const rows = lines.map((line) => line.split('|'));
  if (rows.length === 0) return null;
  return { at: `${rows[0][0]}.${rows[0][1]}`, rows: rows.filter((row) => row.slice(2).some(Boolean)).map((row) => row.slice(2).join('|')) };
}

/** The server is killed and comes back on the same ports: the page keeps what it had, says so, and goes on. */
async function killAndRestart({ browser, server }) {
  const page = await open(browser, server.base + (await firstBoard(server.base)));
  await page.waitForSelector('.uplot canvas');
  await eventually('an epoch', 10_000, async () => /\d/.test(await page.textContent('[data-testid=epoch]')));
  const before = await page.$$eval('[data-testid=value]', (all) => all.map((each) => each.dataset.value));
  await server.kill('SIGKILL');
  await page.waitForSelector('[data-testid=gone]', { timeout: LIMIT_MS });
  await shot(page, 'server-gone');
  const during = await page.$$eval('[data-testid=value]', (all) => all.map((each) => each.dataset.value));
  // One more may have come on the way to its end.
  assert.ok(during.length >= before.length, 'old values went away with the server');
  assert.match(await page.textContent('[data-testid=gone]'), /No answer from the server since \d\d:\d\d:\d\d/);
  await new Promise((wake) => setTimeout(wake, 2_000));
  await server.restart();
  await page.waitForSelector('[data-testid=gone]', { state: 'detached', timeout: LIMIT_MS });
  await page.waitForSelector('[data-testid=restarted]', { timeout: LIMIT_MS });
  const epoch = async () => Number((await page.textContent('[data-testid=epoch]')).replaceAll(',', ''));
  const first = await epoch();
  await eventually('epochs go on after the restart', 10_000, async () => (await epoch()) > first);
  await eventually('panels go on after the restart', 15_000, async () => {
    const ages = await page.$$eval('section[data-panel]', (all) => all.map((each) => each.classList.contains('stale')));
    return ages.length > 0 && ages.every((stale) => !stale);
  });
  await settled(page);
}

/** An empty server names its real doors, and its page changes with the first event. */
async function firstEvent({ browser }) {
  const server = await bare();
  try {
    const page = await open(browser, server.base);
    await page.waitForSelector('[data-testid=first-event][data-arrived=no]', { timeout: LIMIT_MS });
    const command = await page.textContent('[data-testid=command-curl]');
    assert.ok(command.includes(server.doors.http), `curl names another address: ${command}`);
    await page.click('[aria-label="Copy the curl command"]');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), command);
    for (const theme of ['light', 'dark']) await axe(page, theme, 'empty overview');
    if (mock) await post(server.base, 'hello', { name: 'Ada', n: 1 });
    else await firstRow(server, page);
    await page.waitForSelector('[data-testid=first-event][data-arrived=yes]', { timeout: LIMIT_MS });
    await eventually('the row is shown', 5_000, async () => /Ada/.test(await page.textContent('[data-testid=rows]')));
    await axe(page, 'dark', 'overview with the first event');
    // Nothing comes now, so no epoch begins; what is shown is current all the same.
    await page.waitForTimeout(4_000);
    await eventually("an idle server's page is current", 10_000, async () => Number(/([\d.]+) s behind/.exec(await page.textContent('[data-testid=asof]'))?.[1]) < 3);
    await settled(page);
  } finally {
    await server.stop();
  }
}

// What the page says is typed as it stands: curl's command, which makes the topic where there is none, then psql's, which finds it.
async function firstRow(server, page) {
  const typed = async (command) => (await run('sh', ['-c', command], { timeout: LIMIT_MS })).stdout;
  const [curl, psql] = [await page.textContent('[data-testid=command-curl]'), await page.textContent('[data-testid=command-psql]')];
  const answer = await typed(curl);
  assert.match(answer, /"accepted":1/, `curl's command was answered: ${answer}`);
  assert.match(await typed(psql), /INSERT 0 1/);
}

async function axe(page, theme, where) {
  // Colours move for 120 ms after a change of theme.
  await page.evaluate(async (name) => {
    document.documentElement.dataset.theme = name;
    await new Promise((done) => setTimeout(done, 200));
    // On a busy machine they begin late. One that lives on with each new value need not end.
    const moving = document.getAnimations().filter((each) => each instanceof CSSTransition);
    const ended = Promise.all(moving.map((each) => each.finished.catch(() => undefined)));
    await Promise.race([ended, new Promise((done) => setTimeout(done, 2_000))]);
  }, theme);
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(await axeSource());
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const bad = result.violations.filter((each) => each.impact === 'serious' || each.impact === 'critical');
  const text = bad.map((each) => `${each.id} (${each.impact}): ${each.nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).join('; ')}`).join('\n      ');
  assert.equal(bad.length, 0, `axe on ${where}, ${theme}:\n      ${text}`);
}

let source;
async function axeSource() {
  const { readFile } = await import('node:fs/promises');
  source ??= await readFile(AXE, 'utf8');
  return source;
}

/** axe-core finds nothing serious on any screen, in both themes and widths; nothing sticks out on the phone. */
async function accessible({ browser, server }) {
  const paths = await screens(server.base);
  for (const size of ['wide', 'phone']) {
    const page = await open(browser, server.base, { size });
    for (const path of paths) {
      await page.goto(server.base + path);
      await page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('.bones'), null, { timeout: LIMIT_MS });
      await page.waitForTimeout(300);
      for (const theme of ['light', 'dark']) await axe(page, theme, `${path}, ${size}`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wider <= 0, `${path} is ${wider} px wider than the ${size} page`);
      const main = await page.evaluate(() => { const main = document.querySelector('main'); return main.scrollWidth - main.clientWidth; });
      assert.ok(main <= 0, `the content of ${path} is ${main} px wider than the ${size} page`);
    }
    await settled(page);
  }
  console.log(`   ${paths.length} screens, both themes, both widths`);
}

/** Everything is reached without a pointer. */
async function keyboard({ browser, server }) {
  const board = await firstBoard(server.base);
  const page = await open(browser, server.base);
  await page.waitForSelector('main h1');
  await page.keyboard.press('Control+k');
  await page.waitForSelector('dialog[open] [role=option]');
  await axe(page, 'light', 'palette');
  await axe(page, 'dark', 'palette');
  await page.keyboard.type('dashboards');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/dashboards/);
  await page.keyboard.press('Control+k');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  await page.goto(server.base + board);
  await page.waitForSelector('.uplot canvas');
  await page.keyboard.press('t');
  await page.waitForSelector('section[data-panel] [data-testid=rows]');
  await axe(page, 'light', 'panels as tables');
  await page.keyboard.press('t');
  await page.waitForSelector('.uplot canvas');
  await page.keyboard.press('.');
  await page.waitForSelector('button[aria-keyshortcuts="."][aria-pressed=true]');
  await page.waitForTimeout(400);
  const epochs = () => page.$$eval('section[data-panel]', (all) => all.map((each) => each.dataset.epoch).join());
  // What was in flight may still come in; then nothing does.
  const held = await eventually('a paused page rests', 10_000, async () => {
    const before = await epochs();
    await page.waitForTimeout(1_500);
    return (await epochs()) === before ? before : null;
  });
  await page.keyboard.press('.');
  await eventually('the page moves again', 5_000, async () => (await epochs()) !== held);
  await page.focus('[aria-roledescription=chart]');
  await page.keyboard.press('ArrowLeft');
  await eventually('a point is spoken', 2_000, async () => /\d\d:\d\d:\d\d: /.test(await page.textContent('[aria-roledescription=chart] [aria-live]')));
  await page.goto(`${server.base}/data`);
  await page.focus('th button');
  await page.keyboard.press('Enter');
  assert.equal(await page.getAttribute('th:first-child', 'aria-sort'), 'descending');
  await settled(page);
}

/** A person's way through the SQL screen: a mistake mended in place, a wait explained, rows, a cancel, a table. */
async function sqlScreen({ browser, server }) {
  if (mock) return;
  await psql(server, 'CREATE TABLE IF NOT EXISTS met (name STRING, n INT)');
  const page = await open(browser, `${server.base}/sql?sql=${encodeURIComponent('-- whom we met\nSELECT nme, n FROM met')}`);
  const state = (wanted) => page.waitForSelector(`[data-testid=sql-state][data-state=${wanted}]`, { timeout: LIMIT_MS });
  const total = async () => Number(await page.getAttribute('[data-testid=sql-count]', 'data-total'));
  await page.click('.cm-content');
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' ');
  await page.waitForSelector('.sql-error', { timeout: LIMIT_MS });
  assert.match(await page.textContent('[data-testid=sql-error]'), /2:8.*nme.*did you mean 'name'/);
  for (const theme of ['light', 'dark']) await axe(page, theme, 'an error in the SQL');
  await shot(page, 'wrong-sql');
  await page.click('[data-testid=sql-error] button');
  await page.waitForSelector('.sql-error', { state: 'detached', timeout: LIMIT_MS });
  await page.keyboard.press('Control+Enter');
  await page.waitForSelector('[data-testid=sql-why]', { timeout: LIMIT_MS });
  assert.match(await page.textContent('[data-testid=sql-why]'), /No row yet: .*met/);
  await axe(page, 'light', 'no row yet');
  await post(server.base, 'met', { name: 'Ada', n: 1 });
  await page.waitForSelector('[data-testid=sql-rows] td[data-value=Ada]', { timeout: LIMIT_MS });
  for (const theme of ['light', 'dark']) await axe(page, theme, 'rows of a statement');
  await page.click('button:text-is("Changes")');
  await page.waitForSelector('[data-testid=sql-rows] td.op');
  await page.click('button:text-is("Plan")');
  await page.waitForSelector('[data-testid=sql-plan] code');
  for (const theme of ['light', 'dark']) await axe(page, theme, 'a plan');
  await page.click('button:text-is("Chart")');
  await page.waitForSelector('.bars');
  await page.click('button:text-is("Table")');
  await page.keyboard.press('Escape');
  await state('cancelled');
  const before = await total();
  await post(server.base, 'met', { name: 'Grace', n: 2 });
  await eventually('the server has the row', 20_000, async () => (await psql(server, 'SELECT name FROM met')).length === 2);
  assert.equal(await total(), before, 'a cancelled statement went on');
  // Run gives the rows of now and ends, as psql sees them.
  await page.click('button:text-is("Run")');
  await state('ended');
  assert.deepEqual((await page.$$eval('[data-testid=sql-rows] tbody tr', (all) => all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.dataset.value).join('|')))).sort(), (await psql(server, 'SELECT name, n FROM met')).sort());
  // Words come from the server; the text is in the address, and comes back with it.
  await page.click('.cm-content');
  await page.keyboard.press('Control+End');
  await page.keyboard.type(';\nSELECT name, COU');
  await page.waitForSelector('.cm-tooltip-autocomplete li:has-text("COUNT")', { timeout: LIMIT_MS });
  await page.click('.cm-tooltip-autocomplete li:has-text("COUNT")');
  await eventually('the function is taken', 10_000, async () => /COUNT\(\)/.test(await page.textContent('.cm-content')));
  await page.keyboard.type('*');
  await page.keyboard.press('End');
  await page.keyboard.type(' AS n FROM met GROUP BY name');
  await page.keyboard.press('Escape');
  await eventually('the text is in the address', 10_000, () => new URL(page.url()).searchParams.get('sql')?.endsWith('GROUP BY name'));
  await page.reload();
  await page.waitForSelector('.cm-content');
  assert.match(await page.textContent('.cm-content'), /COUNT\(\*\) AS n FROM met GROUP BY name$/);
  await page.click('.cm-content');
  await page.keyboard.press('Control+End');
  await page.click('button:has-text("Create ..")');
  await page.fill('#create-name', 'met_often');
  for (const theme of ['light', 'dark']) await axe(page, theme, 'naming a table');
  await page.keyboard.press('Enter');
  await page.waitForSelector('a:text-is("Open met_often")', { timeout: LIMIT_MS });
  await page.click('a:text-is("Open met_often")');
  await page.waitForSelector('[data-testid=rows] td[data-value=Grace]', { timeout: LIMIT_MS });
  await settled(page);
}

/** What was set aside is seen by its reason and sent once more; an object without news says why; a pipeline rests and goes on. */
async function heldRows({ browser, server }) {
  if (mock) return;
  await psql(server, 'CREATE TABLE parcels (id INT, ts TIMESTAMP_LTZ(3), weight INT, WATERMARK FOR ts AS ts)');
  await psql(server, "CREATE MATERIALIZED TABLE parcels_1m AS SELECT window_end, COUNT(*) AS n FROM TUMBLE(TABLE parcels, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end");
  const parcel = (id, minute, weight = 1) => post(server.base, 'parcels', { id, ts: `2026-01-01 10:${minute}Z`, weight });
  await parcel(1, '00:00');
  await parcel(2, '05:00');
  await eventually('the first window', 60_000, async () => (await psql(server, 'SELECT n FROM parcels_1m')).length === 1);
  await parcel(3, '00:30');
  await parcel(4, '06:00', 'heavy');
  const page = await open(browser, `${server.base}/data/parcels`);
  await page.waitForSelector('[data-testid=quarantine] tbody td.critical', { timeout: LIMIT_MS });
  assert.match(await page.textContent('[data-testid=quarantine] tbody tr'), /field 'weight': expected INT\s*1\s*\{"id":4,.*"weight":"heavy"\}/);
  await page.waitForSelector('[data-testid=late] tbody a:has-text("parcels_1m")', { timeout: LIMIT_MS });
  await page.waitForSelector('[data-testid=lineage] a:has-text("parcels_1m")');
  await page.click('[data-testid=quarantine] tbody button');
  await eventually('the replay is answered', 60_000, async () => /1 row went, 1 of them were set aside again/.test(await page.textContent('[data-testid=replayed]')));
  await page.click('[data-testid=late] header button');
  await eventually('the replay of late rows is answered', 60_000, async () => /1 row went/.test(await page.textContent('[data-testid=late] [role=status]')));
  for (const theme of ['light', 'dark']) await axe(page, theme, 'held rows');
  await page.click('[aria-label="Rows a second as a table"]');
  await page.waitForSelector('[data-testid=rates] tbody td');
  await axe(page, 'dark', 'rows a second as a table');
  // The filter runs on the server and stands in the address.
  await page.fill('[aria-label^="Filter on the server"]', 'id = 2');
  await page.keyboard.press('Enter');
  await eventually('one row passes', 20_000, async () => (await page.$$('[data-testid=rows] tbody tr')).length === 1 && (await page.textContent('[data-testid=rows] tbody td')) === '2');
  assert.equal(new URL(page.url()).searchParams.get('where'), 'id = 2');
  await page.fill('[aria-label^="Filter on the server"]', 'idd = 2');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.refusal:has-text("idd")', { timeout: LIMIT_MS });
  await page.goto(`${server.base}/data/parcels_1m`);
  await page.click('[data-testid=why] button');
  await eventually('the reason', 20_000, async () => /watermark of parcels/.test(await page.textContent('[data-testid=why] [role=status]')));
  await page.click('[data-testid=lineage] a[aria-label^="the pipeline"]');
  await page.waitForURL(/\/pipelines\//);
  await page.waitForSelector('[data-testid=operators] tbody tr');
  await page.click('[data-testid=operators] th button:has-text("busy")');
  assert.equal(new URL(page.url()).searchParams.get('sort'), '-busy');
  await page.click('button:text-is("Suspend")');
  await page.waitForSelector('button:text-is("Resume")', { timeout: LIMIT_MS });
  await axe(page, 'dark', 'a suspended pipeline');
  await page.click('button:text-is("Resume")');
  await page.waitForSelector('button:text-is("Suspend")', { timeout: LIMIT_MS });
  await settled(page);
}

/** From the empty page to an alert that fires, is silenced and resolves. */
async function alerts({ browser }) {
  if (mock) return;
  const server = await bare();
  try {
    await alertsOf(browser, server);
  } finally {
    await server.stop();
  }
}

async function alertsOf(browser, server) {
  const statement = async (sql) => {
    const answer = await (await fetch(`${server.base}/v1/sql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql }) })).text();
    assert.doesNotMatch(answer, /"error"/, sql);
  };
  await statement('CREATE TABLE doors (door STRING, opened BOOLEAN, PRIMARY KEY (door) NOT ENFORCED)');
  const page = await open(browser, `${server.base}/alerts`);
  await page.waitForSelector('[data-testid=first-alert] pre', { timeout: LIMIT_MS });
  await page.selectOption('[aria-label=Table]', 'doors');
  await eventually('the statement names the table', 20_000, async () => /CREATE ALERT `many_doors`/.test(await page.textContent('[data-testid=first-alert] pre')));
  for (const size of [{ width: 390, height: 844 }, { width: 1280, height: 800 }]) {
    await page.setViewportSize(size);
    for (const theme of ['light', 'dark']) await axe(page, theme, `no alert yet, ${size.width}`);
  }
  await statement(`CREATE ALERT door_open ON (SELECT door FROM doors WHERE opened) KEY (door) SEVERITY CRITICAL SUMMARY '{door} stands open' RUNBOOK 'https://wiki.example.com/doors'`);
  await page.waitForSelector('[data-testid=alerts] tbody tr', { timeout: LIMIT_MS });
  await page.waitForSelector('[data-testid=verdict][data-health=ok]:has-text("Nothing fires of one alert")');
  await post(server.base, 'doors', { door: 'cellar', opened: true });
  await page.waitForSelector('[data-testid=firing]:has-text("cellar stands open")', { timeout: LIMIT_MS });
  await page.waitForSelector('[data-testid=verdict][data-health=critical]:has-text("door_open fires, 1 case")', { timeout: LIMIT_MS });
  assert.equal(await page.getAttribute('[data-testid=firing] tbody a', 'href'), 'https://wiki.example.com/doors');
  assert.deepEqual(await psql(server, 'SELECT summary FROM arus.alert_cases'), ['cellar stands open']);
  for (const size of [{ width: 390, height: 844 }, { width: 1280, height: 800 }]) {
    await page.setViewportSize(size);
    for (const theme of ['light', 'dark']) await axe(page, theme, `an alert that fires, ${size.width}`);
  }
  await page.goto(server.base);
  await page.waitForSelector('[data-testid=verdict]:has-text("door_open fires")', { timeout: LIMIT_MS });
  await page.click('[data-testid=verdict] a:has-text("Open alerts")');
  await page.click('button[aria-label="Silence 1 h, door_open"]');
  await page.waitForSelector('button[aria-label="Unsilence door_open"]', { timeout: LIMIT_MS });
  await page.waitForSelector('[data-testid=altered]:has-text("nobody is told")');
  await page.waitForSelector('[data-testid=verdict][data-health=ok]', { timeout: LIMIT_MS });
  await axe(page, 'dark', 'a silenced alert');
  await page.click('button[aria-label="Unsilence door_open"]');
  await page.waitForSelector('button[aria-label="Silence 1 h, door_open"]', { timeout: LIMIT_MS });
  await page.click('button[aria-label="Test door_open"]');
  await page.waitForSelector('[data-testid=events] li:has-text("<door> stands open")', { timeout: LIMIT_MS });
  await post(server.base, 'doors', { door: 'cellar', opened: false });
  await page.waitForSelector('[data-testid=firing]:has-text("Nothing fires")', { timeout: LIMIT_MS });
  await page.waitForSelector('[data-testid=events] li:has-text("resolved")');
  await statement('DROP ALERT door_open');
  await statement('DROP TABLE doors');
  await settled(page);
}

/** The demo's own alert finds the devices that try out cards, and the dashboard has them too. */
async function demoAlert({ browser, server }) {
  if (mock) return;
  const page = await open(browser, `${server.base}/alerts`);
  await page.waitForSelector('[data-testid=alerts] tbody tr:has-text("card_testers")', { timeout: LIMIT_MS });
  await page.waitForSelector('[data-testid=events] li:has-text("cards within a minute")', { timeout: LIMIT_MS });
  await shot(page, 'demo-alert');
  const known = new Set(await psql(server, 'SELECT device FROM card_testing'));
  const told = await psql(server, "SELECT summary FROM arus.alert_events WHERE alert = 'card_testers' AND event = 'fired'");
  assert.ok(told.length > 0);
  for (const summary of told) assert.ok(known.has(/device (\S+):/.exec(summary)?.[1]), `nobody tests with ${summary}`);
  await settled(page);
}

/** Every screen by its letter, the list of keys, a command of the palette; the settings name the real doors. */
async function keysAndSettings({ browser, server }) {
  const page = await open(browser, server.base);
  await page.waitForSelector('main h1');
  for (const [letter, path] of [['d', '/data'], ['p', '/pipelines'], ['s', '/sql'], ['b', '/dashboards'], ['a', '/alerts'], ['o', '/'], ['h', '/docs'], ['e', '/settings']]) {
    await page.waitForSelector('main h1', { state: 'attached' });
    await page.evaluate(() => document.querySelector('main').focus());
    await page.keyboard.press('g');
    await page.keyboard.press(letter);
    await page.waitForURL((url) => url.pathname === path, { timeout: LIMIT_MS });
    if (path === '/sql') await page.waitForSelector('.cm-content');
  }
  await page.waitForSelector('[data-testid=addresses] tbody tr');
  const text = await page.textContent('[data-testid=addresses]');
  for (const door of Object.values(server.doors)) assert.ok(text.includes(door), `the settings do not name ${door}`);
  if (!mock) {
    await page.fill('[aria-label="Find a setting"]', 'epoch');
    await page.waitForSelector('[data-testid=settings] code:text-is("arus.epoch.interval")');
    await page.click('main h1', { force: true }).catch(() => undefined);
    await page.evaluate(() => document.activeElement?.blur());
  }
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open] h2:text-is("Keys")');
  for (const theme of ['light', 'dark']) await axe(page, theme, 'the list of keys');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  const before = await page.evaluate(() => localStorage.getItem('arus.theme'));
  await page.keyboard.press('Control+k');
  await page.keyboard.type('theme');
  await page.waitForSelector('[role=option][aria-selected=true]:has-text("theme")');
  await page.keyboard.press('Enter');
  await eventually('the theme changes', 10_000, async () => (await page.evaluate(() => localStorage.getItem('arus.theme'))) !== before && ['light', 'dark'].includes(await theme()));
  await page.goto(`${server.base}/?table=behind`);
  await page.waitForSelector('[data-testid=behind-table]');
  await settled(page);
}

/** The guides: a list, links from one to another and to a heading, found by the palette; read at both widths and in both themes. */
async function guides({ browser, server }) {
  const page = await open(browser, server.base);
  await page.waitForSelector('main h1');
  await page.click('nav a:text-is("Docs")');
  await page.waitForURL(/\/docs$/);
  await page.click('nav[aria-label=Guides] a:has-text("Flink")');
  await page.waitForSelector('[data-testid=guide] pre:has-text("arus run job.sql")');
  await page.click('[data-testid=guide] a:has-text("flink-differences.md")');
  await page.waitForURL(/\/docs\/flink-differences$/);
  await page.waitForSelector('[data-testid=guide] table');
  await page.keyboard.press('Control+k');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.type('managed tables');
  await page.waitForSelector('[role=option]:has-text("guide")');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/docs\/sql#managed-tables$/);
  await eventually('the heading is in sight', 10_000, () => page.evaluate(() => {
    const top = document.getElementById('managed-tables')?.getBoundingClientRect().top;
    return top !== undefined && top >= 0 && top < innerHeight;
  }));
  await page.goto(`${server.base}/docs/nothing`);
  await page.waitForSelector('main:has-text("There is no guide")');
  for (const size of ['wide', 'phone']) {
    const other = await open(browser, server.base, { size });
    for (const path of ['/docs', '/docs/sql', '/docs/getting-started', '/docs/doors']) {
      await other.goto(server.base + path);
      await other.waitForSelector(path === '/docs' ? 'nav[aria-label=Guides] p' : '[data-testid=guide][aria-busy=false] p');
      for (const theme of ['light', 'dark']) await axe(other, theme, `${path}, ${size}`);
      const wider = await other.evaluate(() => { const main = document.querySelector('main'); return Math.max(document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth); });
      assert.ok(wider <= 0, `${path} is ${wider} px wider than the ${size} page`);
    }
    await settled(other);
  }
  await settled(page);
}

/** Panels are fed over one stream and ask for nothing themselves; nothing else is asked for twice at once. */
async function sparing({ browser, server }) {
  const page = await open(browser, server.base + (await firstBoard(server.base)));
  const flying = new Map();
  let streams = 0;
  page.on('request', (request) => { if (request.url().includes('/v1/console/watch')) streams += 1; });
  let most = 0;
  let which = '';
  let asked = 0;
  const key = (request) => (request.url().includes('/v1/console/query') ? request.postData() : null);
  const sql = (request) => { const data = key(request); return data ? JSON.parse(data).sql : null; };
  page.on('request', (request) => { const text = sql(request); if (!text) return; asked += 1; flying.set(text, (flying.get(text) ?? 0) + 1); if (flying.get(text) > most) { most = flying.get(text); which = text; } });
  const done = (request) => { const text = sql(request); if (text) flying.set(text, Math.max(0, (flying.get(text) ?? 1) - 1)); };
  page.on('requestfinished', done);
  page.on('requestfailed', done);
  const epochs = () => page.$$eval('section[data-panel]', (all) => all.map((each) => Number(each.dataset.epoch)));
  const first = await eventually('all panels have rows', LIMIT_MS, async () => { const all = await epochs(); return all.length > 0 && all.every((epoch) => epoch > 0) && all; });
  asked = 0;
  streams = 0;
  await eventually('all panels go on', LIMIT_MS, async () => (await epochs()).every((epoch, i) => epoch > first[i] + 8));
  assert.ok(most <= 1, `${most} equal requests were in flight at once: ${which}`);
  assert.equal(streams, 0, 'the stream was asked for again');
  assert.ok(asked <= 40, `${asked} requests besides the stream`);
  console.log(`   ${first.length} panels over one stream, ${asked} requests besides`);
  await settled(page);
}

/** A picture of what a check has brought about, for the eye: with --shots FOLDER. */
async function shot(page, name) {
  const folder = option('shots');
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: resolve(folder, `${name}.png`) });
}

async function settled(page) {
  assert.deepEqual(page.outside, [], 'the page asked another host');
  assert.deepEqual(page.complaints, [], 'the page complained');
  await page.context().close();
}

/** The picture of the README: the demo's dashboard, after it has something to show. */
async function takePicture({ browser, server }) {
  const page = await open(browser, `${server.base}/dashboards/shop?last=15m`, { theme: 'dark', scale: 2 });
  await page.waitForSelector('.uplot canvas');
  await page.waitForTimeout(Math.max(2_000, (mock ? 0 : Number(option('picture-after', 90)) * 1000) - (Date.now() - server.startedAt)));
  mkdirSync(dirname(picture), { recursive: true });
  await page.screenshot({ path: picture });
  console.log(`   ${picture}`);
  await page.context().close();
}

const states = stateChecks({ mock, start: (flags) => startArus(binary, flags, undefined, front), axe, settled, shot, eventually, post, LIMIT_MS });
const dashboards = dashboardChecks({ mock, axe, settled, eventually, post, shot, LIMIT_MS });
const logins = loginChecks({ mock, bare, axe, settled, eventually, LIMIT_MS, shot });
/** The main screens look as they did, from the same answers at the same time. */
async function pictures({ browser }) {
  if (mock || !existsSync(`${root}/console/dist/index.html`)) return;
  const bad = await comparePictures(browser);
  assert.deepEqual(bad, [], 'look at them, and where they are right: node console/e2e/pictures.mjs accept');
}

const CHECKS = { chartsMove, figuresEqualPsql, keyboard, sqlScreen, heldRows, alerts, demoAlert, ...logins, ...dashboards, pictures, keysAndSettings, guides, ...states, sparing, accessible, firstEvent, takePicture, killAndRestart };

const missing = mock ? [] : (await available(['psql'])).missing;
if (missing.length > 0) {
  console.error(`not here: ${missing.join(', ')} (apt-get install postgresql-client)`);
  process.exit(1);
}
const browser = await launch();
const ports = { http: await freePort(), postgres: await freePort(), kafka: await freePort() };
const server = await demo(ports).catch(async (error) => {
  await browser.close();
  console.error(error.message);
  process.exit(1);
});
let failed = 0;
try {
  for (const [name, check] of Object.entries(CHECKS)) {
    if (only && !only.includes(name)) continue;
    const began = Date.now();
    try {
      await check({ browser, server });
      console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)\n     ${error.message}`);
    }
    server.fresh = false;
  }
} finally {
  await server.stop();
  await browser.close();
}
if (failed > 0) console.log(`${failed} failed; the server said:\n${server.said().slice(-4_000)}`);
process.exit(failed === 0 ? 0 : 1);
