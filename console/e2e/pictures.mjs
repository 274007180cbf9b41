// Pictures of the main screens from answers that were written down once, so that the same page gives the same picture: a clock that
// stands still, no motion, a stream of events that says the same tick. They are compared with those in `pictures` with a tolerance.
//   node e2e/pictures.mjs record URL    writes the answers of a running server to answers.json, and new pictures
//   node e2e/pictures.mjs accept        writes new pictures from the answers that are there
//   node e2e/pictures.mjs               compares

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch, open } from './browser.mjs';
import { startFront } from './front.mjs';

const FOLDER = fileURLToPath(new URL('pictures', import.meta.url));
const ANSWERS = `${FOLDER}/answers.json`;
const SCREENS = {
  overview: '/', object: '/data/card_testing', pipelines: '/pipelines', shop: '/dashboards/shop', fraud: '/dashboards/fraud',
  edit: '/dashboards/fraud?edit=1', dashboards: '/dashboards', alerts: '/alerts', settings: '/settings', gone: '/dashboards/missing',
  'disk-full': '/', 'disk-full-settings': '/settings', 'bad-record': '/', 'bad-record-table': '/data/card_testing', 'table-gone': '/dashboards/shop',
};
/** What is otherwise in the answers of a screen on which something is wrong; run.mjs brings the same about on real servers. */
const OTHERWISE = {
  'disk-full': fullDisk, 'disk-full-settings': fullDisk, 'bad-record': badRecord, 'bad-record-table': badRecord,
  'table-gone': (answers) => changed(answers, (key) => /console\/query SELECT ts, category, revenue FROM shop_revenue/.test(key), () => ({ status: 404, body: { error: { kind: 'user', message: "table 'shop_revenue' does not exist", line: 1, column: 35, length: 12, hint: 'SHOW TABLES lists what there is' } } })),
};

/** The answers with others for some of the requests. */
function changed(answers, which, change) {
  const byKey = Object.fromEntries(Object.entries(answers.byKey).map(([key, answer]) => {
    if (!which(key)) return [key, answer];
    const { status, body } = change(JSON.parse(answer.body));
    return [key, { status: status ?? answer.status, body: JSON.stringify(body) }];
  }));
  return { ...answers, byKey };
}

function fullDisk(answers) {
  const full = changed(answers, (key) => key === 'GET /v1/console/server', (body) => ({ body: { ...body, disk: { ...body.disk, used_bytes: 2_900_000, limit_bytes: 3_145_728, state: 'full' } } }));
  return changed(full, (key) => /FROM arus\.disk/.test(key), (body) => ({ body: { ...body, rows: [cells(body, { used_bytes: 2_900_000, limit_bytes: 3_145_728, state: 'full', reason: 'the disk is full, no rows are taken: the data folder has 2 MB of the 3 MB that --disk allows' })] } }));
}

function badRecord(answers) {
  return changed(answers, (key) => /FROM arus\.pipelines/.test(key), (body) => {
    const name = body.columns.findIndex((column) => column.name === 'name');
    return { body: { ...body, rows: body.rows.map((row) => (row[name] === 'card_testing' ? cells(body, { state: 'failed', reason: 'Calc: / by zero (the row was {"id":2,"pieces":0})', rows_in_per_s: 0, rows_out_per_s: 0, busy: 0 }, row) : row)) } };
  });
}

/** A row with some of its cells otherwise. */
const cells = (body, other, row = body.rows[0]) => body.columns.map((column, i) => (column.name in other ? other[column.name] : row[i]));
/** A pixel differs when a colour is this far off; a picture, when so many of a thousand pixels do. Letters are drawn a little otherwise elsewhere. */
const COLOUR = 48;
const PER_MILLE = 15;

/** By address and statement: what changes with time in a request is no part of it. */
function keyOf(request) {
  const { pathname, search } = new URL(request.url());
  const body = request.postData();
  if (!body) return `${request.method()} ${pathname}${search}`;
  const { sql } = JSON.parse(body);
  return `${request.method()} ${pathname} ${sql ?? body}`;
}

async function still(page, answers) {
  await page.clock.setFixedTime(answers.nowMs);
  await page.addInitScript((tick) => {
    window.EventSource = class extends EventTarget {
      readyState = 1;
      constructor() {
        super();
        const say = () => { this.onopen?.(new Event('open')); this.dispatchEvent(new MessageEvent('tick', { data: JSON.stringify(tick) })); };
        setTimeout(say, 0);
        this.timer = setInterval(say, 250);
      }
      close() { clearInterval(this.timer); }
    };
  }, answers.tick);
  await page.route('**/v1/**', (route) => {
    const answer = answers.byKey[keyOf(route.request())];
    const headers = { 'content-type': 'application/json' };
    if (new URL(route.request().url()).pathname === '/v1/console/watch') return route.fulfill({ status: 200, headers, body: watched(JSON.parse(route.request().postData()).panels, answers) });
    // They were given one after the other: here all of them are of now.
    if (answer) return route.fulfill({ status: answer.status, headers, body: answer.body.replace(/"as_of_ms":\d+/g, `"as_of_ms":${answers.nowMs - 400}`) });
    return route.fulfill({ status: 404, headers, body: '{"error":{"kind":"user","message":"it was not written down"}}' });
  });
}

/** Panels get what was written down of their statements. */
function watched(panels, answers) {
  const at = { as_of_ms: answers.nowMs - 400, to_ms: answers.nowMs };
  return panels.map((panel) => {
    const answer = answers.byKey[`POST /v1/console/query ${panel.sql}`];
    const { columns, rows, incarnation, epoch, error } = answer ? JSON.parse(answer.body) : { error: { kind: 'user', message: 'it was not written down' } };
    return JSON.stringify(error ? { panel: panel.id, error } : { panel: panel.id, incarnation, epoch, ...at, from_ms: at.to_ms - panel.last_ms, data: { columns, rows } });
  }).join('\n');
}

async function picture(browser, base, path, theme, answers) {
  const page = await open(browser, 'about:blank', { theme });
  await still(page, answers);
  await page.goto(base + path);
  await page.addStyleTag({ content: '*, *::before, *::after { transition: none !important; animation: none !important; caret-color: transparent !important; }' });
  await page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('.bones'), null, { timeout: 60_000 });
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(1_200);
  const bytes = await page.screenshot({ scale: 'css' });
  await page.context().close();
  return bytes;
}

/** How many of a thousand pixels differ, counted by the browser itself. */
async function difference(browser, one, two) {
  const page = await open(browser, 'about:blank');
  const differs = await page.evaluate(async ([a, b, colour]) => {
    const pixels = async (bytes) => {
      const image = new Image();
      image.src = `data:image/png;base64,${bytes}`;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const pen = canvas.getContext('2d');
      pen.drawImage(image, 0, 0);
      return { w: image.width, h: image.height, data: pen.getImageData(0, 0, image.width, image.height).data };
    };
    const [x, y] = [await pixels(a), await pixels(b)];
    if (x.w !== y.w || x.h !== y.h) return 1000;
    let count = 0;
    for (let i = 0; i < x.data.length; i += 4) if (Math.max(Math.abs(x.data[i] - y.data[i]), Math.abs(x.data[i + 1] - y.data[i + 1]), Math.abs(x.data[i + 2] - y.data[i + 2])) > colour) count += 1;
    return (count * 4_000) / x.data.length;
  }, [one.toString('base64'), two.toString('base64'), COLOUR]);
  await page.context().close();
  return differs;
}

/** All screens against their pictures; the names of those that differ. With `accept` they are written. */
export async function comparePictures(browser, accept = false) {
  const answers = JSON.parse(readFileSync(ANSWERS, 'utf8'));
  const front = await startFront('http://127.0.0.1:9');
  const bad = [];
  try {
    for (const [name, path] of Object.entries(SCREENS)) {
      const theme = ['fraud', 'alerts', 'bad-record', 'disk-full-settings'].includes(name) ? 'dark' : 'light';
      const now = await picture(browser, front.base, path, theme, OTHERWISE[name]?.(answers) ?? answers);
      const file = `${FOLDER}/${name}-${theme}.png`;
      if (accept) writeFileSync(file, now);
      const differs = existsSync(file) ? await difference(browser, now, readFileSync(file)) : 1000;
      if (differs > PER_MILLE) bad.push(`${name}-${theme}: ${differs.toFixed(1)} of a thousand pixels differ`);
    }
  } finally {
    front.stop();
  }
  return bad;
}

/** The answer of a panel, which comes over a stream that has no end, asked for by itself. */
async function ask(url, byKey, { sql, params, last_ms }) {
  const to = Date.now();
  const times = { from: new Date(to - last_ms).toISOString(), to: new Date(to).toISOString() };
  const response = await fetch(`${url}/v1/console/query`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql, params: { ...params, ...times } }) });
  byKey[`POST /v1/console/query ${sql}`] = { status: response.status, body: await response.text() };
}

async function record(browser, url) {
  const page = await open(browser, 'about:blank');
  const byKey = {};
  let tick = null;
  page.on('response', async (response) => {
    const request = response.request();
    if (request.url().endsWith('/v1/console/watch')) return Promise.all(JSON.parse(request.postData()).panels.map((panel) => ask(url, byKey, panel)));
    if (!new URL(request.url()).pathname.startsWith('/v1/') || request.url().includes('/events')) return;
    const body = await response.text().catch(() => null);
    if (body !== null) byKey[keyOf(request)] = { status: response.status(), body };
  });
  await page.addInitScript(() => {
    const Source = window.EventSource;
    window.EventSource = class extends Source {
      constructor(...args) {
        super(...args);
        this.addEventListener('tick', (event) => { window.lastTick = JSON.parse(event.data); });
      }
    };
  });
  for (const path of Object.values(SCREENS)) {
    await page.goto(url + path);
    await page.waitForTimeout(5_000);
    tick = (await page.evaluate(() => window.lastTick)) ?? tick;
  }
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(ANSWERS, JSON.stringify({ nowMs: tick.now_ms, tick, byKey }, null, 0).replaceAll('"GET ', '\n"GET ').replaceAll('"POST ', '\n"POST '));
  await page.context().close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , verb, url] = process.argv;
  const browser = await launch();
  try {
    if (verb === 'record') await record(browser, url);
    const bad = await comparePictures(browser, verb === 'record' || verb === 'accept');
    if (bad.length > 0) {
      console.error(bad.join('\n'));
      process.exitCode = 1;
    }
  } finally {
    await browser.close();
  }
}
