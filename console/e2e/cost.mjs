// What looking costs: node e2e/cost.mjs --arus PATH [--opt TEXT] [--seconds 20] [--front] [--out FILE] [--shot FILE]
// Twelve live panels at four updates a second (the server's CPU, the page's frames), a table of a million rows that is scrolled, first
// paint and weight of the overview. Writes a report to FILE, or prints it. Nothing else should run meanwhile: the report says how much did.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { launch, open } from './browser.mjs';
import { startArus } from './servers.mjs';

const args = process.argv.slice(2);
const option = (name, otherwise = null) => (args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : otherwise);
const binary = option('arus');
const seconds = Number(option('seconds', 20));
const front = args.includes('--front');
if (!binary) {
  console.error('usage: node e2e/cost.mjs --arus PATH [--opt TEXT] [--seconds 20] [--front] [--out FILE]');
  process.exit(1);
}
const LIMIT_MS = 180_000;
const NAMES = ['north', 'east', 'south', 'west'];
const HISTORY_S = 900;
const BIG = 1_000_000;

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const at = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;

async function statement(base, sql) {
  const answer = await fetch(`${base}/v1/sql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql }) });
  const text = await answer.text();
  if (!answer.ok || /"error"/.test(text)) throw new Error(`${sql}: ${text}`);
}

async function post(base, rows) {
  const answer = await fetch(`${base}/v1/tables/readings/rows`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: rows.map((row) => JSON.stringify(row)).join('\n') });
  if (!answer.ok) throw new Error(await answer.text());
}

const row = (ms, name, i) => ({ ts: new Date(ms).toISOString().replace('T', ' '), name, v: Math.round(1_000 * (50 + 30 * Math.sin(ms / 60_000 + i) + 10 * Math.random())) / 1_000 });

/** CPU of a process in ms; of the whole machine in ms, without what it waits. */
const cpuOf = (pid) => { const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' '); return (Number(fields[11]) + Number(fields[12])) * 10; };
const cpuOfAll = () => readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1, 8).map(Number).reduce((sum, ticks, i) => (i === 3 || i === 4 ? sum : sum + ticks), 0) * 10;

/** The frames of a page and the turns of its updates, for so many seconds. */
const watchPage = (page, ms) => page.evaluate(async (ms) => {
  const frames = [];
  const tasks = [];
  const epochs = new Map();
  let updates = 0;
  const look = () => { for (const panel of document.querySelectorAll('section[data-panel]')) { const now = panel.dataset.epoch; if (epochs.has(panel.dataset.panel) && epochs.get(panel.dataset.panel) !== now) updates += 1; epochs.set(panel.dataset.panel, now); } };
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration)));
  observer.observe({ type: 'longtask' });
  const begun = performance.now();
  let before = begun;
  while (performance.now() - begun < ms) {
    const now = await new Promise((done) => requestAnimationFrame(done));
    frames.push(now - before);
    before = now;
    look();
  }
  observer.disconnect();
  return { frames: frames.slice(1), tasks, updatesPerPanel: updates / Math.max(1, epochs.size) / (ms / 1_000) };
}, ms);

const PANELS = [
  ...NAMES.map((name, i) => `  - {id: line_${name}, at: [${(i % 3) * 4}, ${Math.floor(i / 3) * 3}, 4, 3], chart: line, sql: "SELECT s, v FROM by_second WHERE s > :from AND name = '${name}' ORDER BY s", x: s, y: {field: v}}`),
  '  - {id: all, at: [4, 3, 4, 3], chart: line, sql: "SELECT s, name, v FROM by_second WHERE s > :from ORDER BY s", x: s, series: name, y: {field: v}}',
  '  - {id: sums, at: [8, 3, 4, 3], chart: area, sql: "SELECT s, name, n FROM by_second WHERE s > :from ORDER BY s", x: s, series: name, y: {field: n, min: 0}}',
  '  - {id: now, at: [0, 6, 3, 2], chart: value, sql: "SELECT s, AVG(v) AS v FROM by_second WHERE s > :from GROUP BY s ORDER BY s", x: s, y: {field: v}}',
  '  - {id: count, at: [3, 6, 3, 2], chart: value, sql: "SELECT SUM(n) AS n FROM by_name", y: {field: n}}',
  '  - {id: load, at: [6, 6, 3, 2], chart: gauge, sql: "SELECT AVG(v) AS v FROM by_name", y: {field: v, min: 0, max: 100, warn: 70, critical: 90}}',
  '  - {id: top, at: [9, 6, 3, 2], chart: top, sql: "SELECT name, n FROM by_name ORDER BY n DESC", x: name, y: {field: n}}',
  '  - {id: minutes, at: [0, 8, 6, 3], chart: stacked, sql: "SELECT date_trunc(\'minute\', s) AS m, name, SUM(n) AS n FROM by_second WHERE s > :from GROUP BY 1, 2 ORDER BY 1", x: m, series: name, y: {field: n}}',
  '  - {id: newest, at: [6, 8, 6, 3], chart: table, sql: "SELECT s, name, v, n FROM by_second ORDER BY s DESC LIMIT 50", y: {field: v}}',
];

async function panels(browser, out) {
  const server = await startArus(binary, [], undefined, front);
  try {
    const { base } = server;
    await statement(base, 'CREATE TABLE readings (ts TIMESTAMP_LTZ(3), name STRING, v DOUBLE)');
    await statement(base, 'CREATE MATERIALIZED TABLE by_second AS SELECT FLOOR(ts TO SECOND) AS s, name, AVG(v) AS v, COUNT(*) AS n FROM readings GROUP BY FLOOR(ts TO SECOND), name');
    await statement(base, 'CREATE MATERIALIZED TABLE by_name AS SELECT name, AVG(v) AS v, COUNT(*) AS n FROM readings GROUP BY name');
    const now = Date.now();
    await post(base, Array.from({ length: HISTORY_S }, (_, s) => NAMES.map((name, i) => row(now - (HISTORY_S - s) * 1_000, name, i))).flat());
    mkdirSync(join(server.folder, 'dashboards'), { recursive: true });
    writeFileSync(join(server.folder, 'dashboards', 'twelve.yaml'), `arus: dashboard/v1\ntitle: Twelve\ntime: {last: 15m}\npanels:\n${PANELS.join('\n')}\n`);
    let going = true;
    const feeding = (async () => { while (going) { await post(base, NAMES.map((name, i) => row(Date.now(), name, i))); await sleep(100); } })();
    const measured = async (work) => {
      const [own, all, begun] = [cpuOf(server.pid()), cpuOfAll(), performance.now()];
      const result = await work();
      const ms = performance.now() - begun;
      return { result, share: ((cpuOf(server.pid()) - own) / ms) * 100, machine: ((cpuOfAll() - all) / ms) * 100 };
    };
    await sleep(3_000);
    const alone = await measured(() => sleep(seconds * 1_000));
    const page = await open(browser, `${base}/dashboards/twelve`);
    await page.waitForFunction(() => { const all = [...document.querySelectorAll('section[data-panel]')]; return all.length === 12 && all.every((each) => each.dataset.epoch) && !document.querySelector('.bones, .refusal'); }, null, { timeout: LIMIT_MS });
    await sleep(3_000);
    const watched = await measured(() => watchPage(page, seconds * 1_000));
    going = false;
    await feeding;
    if (option('shot')) await page.screenshot({ path: resolve(option('shot')) });
    if (page.complaints.length > 0) throw new Error(page.complaints.join('; '));
    await page.context().close();
    const { frames, tasks, updatesPerPanel } = watched.result;
    const cost = watched.share - alone.share;
    out.push('## Twelve live panels', '', `Six lines and areas over 15 minutes (${NAMES.length} series of ${HISTORY_S} points), bars, values, a gauge, a list, a table; ${NAMES.length * 10} rows a second come in by HTTP. ${seconds} s each.`, '',
      '| | | gate |', '|---|---|---|',
      `| updates of a panel a second | ${updatesPerPanel.toFixed(2)} | 4 at most |`,
      `| server, nobody looks | ${alone.share.toFixed(1)} % of a core | |`,
      `| server, the page is open | ${watched.share.toFixed(1)} % of a core | |`,
      `| the panels cost | ${cost.toFixed(1)} % of a core | 25 % |`,
      `| frame of the page, median | ${median(frames).toFixed(1)} ms | |`,
      `| 99 % | ${at(frames, 0.99).toFixed(1)} ms | 50 ms |`,
      `| longest | ${Math.max(...frames).toFixed(1)} ms | |`,
      `| frames over 50 ms | ${frames.filter((frame) => frame > 50).length} of ${frames.length} | |`,
      `| longest task of the page | ${Math.max(0, ...tasks).toFixed(0)} ms | |`,
      `| the machine meanwhile, browser included | ${watched.machine.toFixed(0)} % of ${cpus().length * 100} % | |`, '');
  } finally {
    await server.stop();
  }
}

async function bigTable(browser, out) {
  const server = await startArus(binary, [], undefined, front);
  try {
    await statement(server.base, `CREATE TABLE big (id BIGINT, v DOUBLE) WITH ('connector' = 'datagen', 'rows-per-second' = '10000000', 'number-of-rows' = '${BIG}', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '${BIG}')`);
    const page = await open(browser, `${server.base}/sql?sql=${encodeURIComponent('SELECT id, v FROM big')}`);
    await page.waitForSelector('.cm-content', { timeout: LIMIT_MS });
    const begun = performance.now();
    await page.click('button:text-is("Run")');
    await page.waitForSelector('[data-testid=sql-state][data-state=ended]', { timeout: LIMIT_MS });
    const loaded = performance.now() - begun;
    const total = Number(await page.getAttribute('[data-testid=sql-count]', 'data-total'));
    const { frames, seen } = await page.evaluate(async () => {
      const box = document.querySelector('[data-testid=sql-rows]').closest('.scroll');
      const frames = [];
      const ids = () => [...box.querySelectorAll('tbody tr:not(.room) td:first-child')].map((cell) => Number(cell.dataset.value));
      const frame = () => new Promise((done) => requestAnimationFrame(done));
      const seen = { first: ids()[0], last: 0, empty: 0 };
      let before = await frame();
      // By the wheel at first, then by dragging the bar from end to end.
      for (const step of [...Array(120).fill(120), ...Array(240).fill((box.scrollHeight - box.clientHeight) / 240)]) {
        box.scrollTop += step;
        const now = await frame();
        frames.push(now - before);
        before = now;
        if (ids().length === 0) seen.empty += 1;
      }
      box.scrollTop = box.scrollHeight;
      await frame();
      await frame();
      seen.last = Math.max(...ids());
      return { frames, seen };
    });
    if (total !== BIG || seen.first !== 1 || seen.last !== BIG) throw new Error(`of ${total} rows, ${JSON.stringify(seen)} were seen`);
    const memory = await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0);
    await page.context().close();
    out.push('## A table of a million rows', '', 'The SQL screen, `SELECT id, v FROM big`; then the wheel, then the bar from end to end.', '',
      '| | | gate |', '|---|---|---|',
      `| all rows are here | ${(loaded / 1_000).toFixed(1)} s | |`,
      `| frame while it is scrolled, median | ${median(frames).toFixed(1)} ms | |`,
      `| 99 % | ${at(frames, 0.99).toFixed(1)} ms | 50 ms |`,
      `| longest | ${Math.max(...frames).toFixed(1)} ms | |`,
      `| frames without a row | ${seen.empty} of ${frames.length} | |`,
      `| memory of the page | ${(memory / 1e6).toFixed(0)} MB | |`, '');
  } finally {
    await server.stop();
  }
}

async function firstPaint(browser, out) {
  const server = await startArus(binary, ['demo'], undefined, front);
  try {
    const weigh = async (path, ready) => {
      const page = await open(browser, 'about:blank');
      const wire = await page.context().newCDPSession(page);
      await wire.send('Network.enable');
      const kinds = new Map();
      const types = new Map();
      wire.on('Network.responseReceived', ({ requestId, type, response }) => types.set(requestId, response.url.includes('/v1/') ? 'answers' : type));
      wire.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => { const kind = types.get(requestId) ?? 'other'; kinds.set(kind, (kinds.get(kind) ?? 0) + encodedDataLength); });
      await page.goto(server.base + path);
      await page.waitForSelector(ready, { timeout: LIMIT_MS });
      await sleep(1_000);
      const paint = await page.evaluate(() => performance.getEntriesByType('paint').find((entry) => entry.name === 'first-contentful-paint')?.startTime ?? 0);
      await page.context().close();
      return { paint, kinds };
    };
    await sleep(5_000);
    const overview = [];
    for (let i = 0; i < 5; i += 1) overview.push(await weigh('/', '[data-testid=verdict]'));
    const board = await weigh('/dashboards/shop', '.uplot canvas');
    const kB = (kinds) => [...kinds].filter(([kind]) => kind !== 'answers').reduce((sum, [, bytes]) => sum + bytes, 0) / 1_000;
    const parts = (kinds) => [...kinds].sort((a, b) => b[1] - a[1]).map(([kind, bytes]) => `${kind.toLowerCase()} ${(bytes / 1_000).toFixed(0)}`).join(', ');
    out.push('## First paint and weight', '', `The demo, ${front ? 'the pages from \`dist\`' : 'from the binary'}, nothing in the cache; five times.`, '',
      '| | | gate |', '|---|---|---|',
      `| first paint of the overview, median | ${median(overview.map((each) => each.paint)).toFixed(0)} ms | 1,000 ms |`,
      `| slowest | ${Math.max(...overview.map((each) => each.paint)).toFixed(0)} ms | |`,
      `| overview, over the wire | ${kB(overview[0].kinds).toFixed(0)} kB (${parts(overview[0].kinds)}) | |`,
      `| dashboard of the shop | ${kB(board.kinds).toFixed(0)} kB (${parts(board.kinds)}) | |`, '');
  } finally {
    await server.stop();
  }
}

const git = (...words) => execFileSync('git', words, { encoding: 'utf8' }).trim();
const out = [`# console, ${new Date().toISOString().slice(0, 10)}`, '', `    node console/e2e/cost.mjs --arus BINARY --seconds ${seconds}${front ? ' --front' : ''}`, '',
  `Machine: ${cpus().length} cores, ${cpus()[0].model.replace(/\s+/g, ' ')}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, Linux ${release().split('-')[0]}. Commit ${git('rev-parse', '--short', 'HEAD')}. Binary: ${option('opt', 'release')}. The browser runs on the same cores, without a GPU.`, ''];
const browser = await launch();
try {
  for (const measure of [panels, bigTable, firstPaint]) await measure(browser, out);
} finally {
  await browser.close();
}
const text = `${out.join('\n').trimEnd()}\n`;
const file = option('out');
if (file) writeFileSync(resolve(file), text);
console.log(text);
