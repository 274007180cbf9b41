// A stand-in for the server's console API with moving figures, to build the console against.
//   node mock/server.mjs [--port 8099] [--empty] [--late] [--dist dist]
// --empty starts without rows and takes POST /v1/tables/hello/rows; --late lets one pipeline fall behind.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const flag = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? true);
};
const PORT = Number(flag('port', 8099));
const EMPTY = process.argv.includes('--empty');
const LATE = process.argv.includes('--late');
const DIST = flag('dist', fileURLToPath(new URL('../dist', import.meta.url)));

const started = Date.now() - (EMPTY ? 4_000 : 8_040_000);
const incarnation = Math.floor(Date.now() / 1000) % 1_000_000;
const epochNow = () => Math.floor((Date.now() - started) / 250);
const iso = (ms) => new Date(ms).toISOString();
const wave = (seed, ms, period) => 0.5 + 0.32 * Math.sin(ms / period + seed) + 0.18 * Math.sin(ms / (period / 3.7) + seed * 7.1);
const sent = [];
// Rows of the epochs that are over: within one epoch every answer is the same.
let hello = [];

const column = (name, type, nullable = true, comment = '') => ({ name, type, nullable, comment });
const HOST = [column('ts', 'TIMESTAMP_LTZ(3)', false, 'event time'), column('host', 'STRING'), column('metric', 'STRING'), column('device', 'STRING'), column('value', 'DOUBLE')];
const HOST_5S = [column('window_start', 'TIMESTAMP(3)', false), column('window_end', 'TIMESTAMP(3)', false), column('metric', 'STRING', false), column('device', 'STRING', false), column('value', 'DOUBLE')];
const TOP = [column('command', 'STRING', false), column('cpu', 'DOUBLE'), column('rss', 'BIGINT')];
const HELLO = [column('name', 'STRING'), column('n', 'INT')];
const KAFKA = [column('key', 'BYTES'), column('value', 'BYTES'), column('text', 'STRING'), column('headers', 'MAP<STRING, BYTES>'), column('timestamp', 'TIMESTAMP_LTZ(3)'), column('partition', 'INT'), column('offset', 'BIGINT')];

const ddl = (name, columns, more = '') => `CREATE TABLE ${name} (\n${columns.map((each) => `    ${each.name} ${each.type}${each.nullable ? '' : ' NOT NULL'}`).join(',\n')}${more}\n)`;
const SQL_5S = "-- one row per 5 seconds, metric and device\nCREATE MATERIALIZED TABLE host_5s AS\nSELECT window_start, window_end, metric, device, AVG(`value`) AS `value`\nFROM TABLE(TUMBLE(TABLE host_metrics, DESCRIPTOR(ts), INTERVAL '5' SECOND))\nGROUP BY window_start, window_end, metric, device";
const SQL_TOP = "CREATE MATERIALIZED TABLE top_processes AS\nSELECT device AS command, MAX(`value`) AS cpu, COUNT(*) AS rss\nFROM host_metrics WHERE metric = 'process_cpu'\nGROUP BY device";
const SQL_HELLO = 'CREATE MATERIALIZED TABLE hello_counts AS\nSELECT name, COUNT(*) AS events, SUM(n) AS total FROM hello GROUP BY name';

function answer(columns, rows) {
  return { incarnation, epoch: epochNow(), as_of_ms: Date.now() - 180, columns, rows };
}

const fields = (text) => text.split(' ').map((each) => { const [name, type] = each.split(':'); return { name, type }; });

function tables(now) {
  const columns = fields('name:text database:text kind:text connector:text format:text columns:text rows_total:int8 bytes:int8 rows_per_s:float8 newest:timestamptz watermark:timestamptz written_by:text read_by:text late_rows:int8 quarantined_rows:int8 ddl:text');
  const row = (name, kind, cols, figures) => [name, 'default_database', kind, figures.connector ?? '', figures.format ?? '', JSON.stringify(cols), figures.rows, figures.bytes, figures.rate, figures.newest, figures.watermark ?? null, figures.writer ?? '', figures.readers ?? '', figures.late ?? 0, figures.bad ?? 0, ddl(name, cols, figures.more)];
  const age = (now - started) / 1000;
  const helloRow = row('hello', 'topic', HELLO, { rows: hello.length, bytes: hello.length * 61, rate: hello.length ? 0.2 : 0, newest: hello.length ? iso(hello.at(-1).at) : null, readers: EMPTY ? '' : 'hello_counts', format: 'json' });
  if (EMPTY) return answer(columns, [helloRow]);
  return answer(columns, [
    row('host_metrics', 'source', HOST, { connector: 'host-metrics', rows: Math.floor(96 * age), bytes: Math.floor(96 * age * 74), rate: 84 + 30 * wave(1, now, 9_000), newest: iso(now - 320), watermark: iso(now - 1_300), readers: 'host_5s,top_processes', late: 3 }),
    row('page_views', 'topic', KAFKA, { rows: Math.floor(1840 * age), bytes: Math.floor(1840 * age * 210), rate: 1500 + 800 * wave(2, now, 7_000), newest: iso(now - 210), readers: '', bad: 57 }),
    helloRow,
    row('host_5s', 'topic', HOST_5S, { rows: Math.floor(19 * age / 5), bytes: 1_912_000, rate: 12 + 14 * wave(3, now, 11_000), newest: iso(now - 1_900), watermark: iso(now - (LATE ? 40_000 : 1_900)), writer: 'host_5s', readers: '' }),
    row('top_processes', 'keyed table', TOP, { rows: 42, bytes: 9_100, rate: 3 + 6 * wave(4, now, 6_000), newest: iso(now - 400), writer: 'top_processes' }),
    row('hello_counts', 'keyed table', [column('name', 'STRING', false), column('events', 'BIGINT'), column('total', 'BIGINT')], { rows: new Set(hello.map((each) => each.name)).size, bytes: 320, rate: 0, newest: hello.length ? iso(hello.at(-1).at) : null, writer: 'hello_counts' }),
  ]);
}

function pipelines(now) {
  const columns = fields('id:text name:text kind:text state:text reason:text sql:text target:text sources:text started:timestamptz rows_in_per_s:float8 rows_out_per_s:float8 busy:float8 behind_ms:int8 backlog_rows:int8 watermark:timestamptz state_bytes:int8 catching_up:bool');
  if (EMPTY) return answer(columns, []);
  const late = LATE ? 40_000 + (now % 5_000) : 900 + 900 * wave(5, now, 4_000);
  return answer(columns, [
    ['p1', 'host_5s', 'materialized table', 'running', '', SQL_5S, 'host_5s', 'host_metrics', iso(started + 400), 90 + 20 * wave(1, now, 9_000), 12 + 14 * wave(3, now, 11_000), LATE ? 0.98 : 0.03, Math.round(late), LATE ? 412_000 : 0, iso(now - 1_300), 310_000, false],
    ['p2', 'top_processes', 'materialized table', 'running', '', SQL_TOP, 'top_processes', 'host_metrics', iso(started + 460), 90 + 20 * wave(1, now, 9_000), 3 + 6 * wave(4, now, 6_000), 0.012, 340, 0, iso(now - 1_200), 41_000, false],
    ['p3', 'hello_counts', 'materialized table', 'running', '', SQL_HELLO, 'hello_counts', 'hello', iso(started + 500), 0, 0, 0, 0, 0, null, 2_400, false],
  ]);
}

function operators(now, params) {
  const columns = fields('pipeline:text id:int4 name:text kind:text detail:text inputs:text rows_in:int8 rows_out:int8 rows_in_per_s:float8 rows_out_per_s:float8 backlog_rows:int8 watermark:timestamptz state_bytes:int8 busy:float8');
  const rate = 90 + 20 * wave(1, now, 9_000);
  const out = 12 + 14 * wave(3, now, 11_000);
  const mark = iso(now - 1_300);
  const hot = LATE ? 0.98 : 0.018;
  const all = {
    p1: [
      [1, 'TableSourceScan', 'FROM', 'host_metrics', '', null, 812_000, null, rate, LATE ? 412_000 : 0, mark, 0, 0.006],
      [2, 'Calc', 'SELECT', 'ts, metric, device, value', '1', 812_000, 812_000, rate, rate, 0, mark, 0, 0.004],
      [3, 'WindowAggregate', 'TUMBLE', '5 s, AVG', '2', 812_000, 161_000, rate, out, 0, mark, 310_000, hot],
      [4, 'Calc', 'SELECT', 'window_end, value', '3', 161_000, 161_000, out, out, 0, mark, 0, 0.001],
      [5, 'Sink', 'INTO', 'host_5s', '4', 161_000, 161_000, out, out, 0, mark, 0, 0.002],
    ],
    p2: [
      [1, 'TableSourceScan', 'FROM', 'host_metrics', '', null, 812_000, null, rate, 0, mark, 0, 0.004],
      [2, 'Calc', 'WHERE', "metric = 'process_cpu'", '1', 812_000, 90_000, rate, rate / 9, 0, mark, 0, 0.003],
      [5, 'Exchange', 'EXCHANGE', 'by device', '2', 90_000, 90_000, rate / 9, rate / 9, 0, mark, 0, 0.001],
      [3, 'GroupAggregate', 'GROUP BY', 'device: MAX, COUNT', '5', 90_000, 40_000, rate / 9, rate / 12, 0, mark, 41_000, 0.004],
      [4, 'Sink', 'INTO', 'top_processes', '3', 40_000, 40_000, rate / 12, rate / 12, 0, mark, 0, 0.001],
    ],
    p3: [
      [1, 'TableSourceScan', 'FROM', 'hello', '', null, hello.length, null, 0, 0, null, 0, 0],
      [2, 'GroupAggregate', 'GROUP BY', 'name: COUNT, SUM', '1', hello.length, hello.length, 0, 0, 0, null, 2_400, 0],
      [3, 'Sink', 'INTO', 'hello_counts', '2', hello.length, hello.length, 0, 0, 0, null, 0, 0],
    ],
  };
  return answer(columns, (all[params.id] ?? []).map((row) => [params.id, ...row]));
}

const naive = (ms) => iso(ms).replace('Z', '');
function series(params, devices, value, gap) {
  const to = Date.parse(params.to ?? iso(Date.now()));
  const from = Math.max(Date.parse(params.from ?? iso(to - 900_000)), to - 7_200_000);
  const rows = [];
  for (let at = Math.ceil(from / 5_000) * 5_000; at <= to - 1_500; at += 5_000) {
    if (gap && at % 3_600_000 > 1_500_000 && at % 3_600_000 < 1_590_000) continue;
    devices.forEach((device, i) => rows.push([iso(at), device, value(i, at)]));
  }
  return answer(fields('window_end:timestamptz device:text value:float8'), rows);
}

const cpu = (i, at) => 100 * Math.max(0.01, wave(i * 2.1, at, 60_000) * (i % 2 ? 0.5 : 0.8));
const PANELS = [
  { id: 'cpu_now', title: 'CPU busy', at: [0, 0, 3, 2], chart: 'value', sql: 'SELECT window_end, value FROM cpu WHERE window_end > :from', x: 'window_end', y: { field: 'value', unit: '%', decimals: 1, min: 0 } },
  { id: 'memory_now', title: 'Memory used', at: [3, 0, 3, 2], chart: 'value', sql: 'SELECT window_end, value FROM memory WHERE window_end > :from', x: 'window_end', y: { field: 'value', unit: 'B' } },
  { id: 'load_now', title: 'Load, 1 min', at: [6, 0, 3, 2], chart: 'value', sql: 'SELECT window_end, value FROM load WHERE window_end > :from', x: 'window_end', y: { field: 'value', decimals: 2, min: 0 } },
  { id: 'events', title: 'Events in hello', at: [9, 0, 3, 2], chart: 'value', sql: 'SELECT COUNT(*) AS events FROM hello', y: { field: 'events', decimals: 0 } },
  { id: 'cores', title: 'CPU per core', at: [0, 2, 8, 4], chart: 'line', sql: 'SELECT window_end, device, value FROM cores WHERE window_end > :from AND window_end <= :to', x: 'window_end', y: { field: 'value', unit: '%', min: 0, max: 100 }, series: 'device' },
  { id: 'load', title: 'Load', at: [8, 2, 4, 4], chart: 'line', sql: 'SELECT window_end, value FROM load WHERE window_end > :from AND window_end <= :to', x: 'window_end', y: { field: 'value', min: 0 } },
  { id: 'network', title: 'Network', at: [0, 6, 6, 4], chart: 'area', sql: 'SELECT window_end, device, value FROM network WHERE window_end > :from', x: 'window_end', y: { field: 'value', unit: 'B/s', min: 0 }, series: 'device' },
  { id: 'processes', title: 'Top processes, CPU', at: [6, 6, 6, 4], chart: 'area', sql: 'SELECT window_end, device, value FROM processes WHERE window_end > :from', x: 'window_end', y: { field: 'value', unit: '%', min: 0 }, series: 'device' },
];
const DASHBOARD = { arus: 'dashboard/v1', title: 'This machine', time: { last: '15m', zone: 'browser' }, panels: PANELS };

function query(sql, params = {}) {
  const now = Date.now();
  if (/arus\.tables/.test(sql)) return tables(now);
  if (/arus\.pipelines/.test(sql)) return pipelines(now);
  if (/arus\.operators/.test(sql)) return operators(now, params);
  if (/FROM cores/.test(sql)) return series(params, ['cpu0', 'cpu1', 'cpu2', 'cpu3'], cpu, true);
  if (/FROM cpu/.test(sql)) return series(params, ['all'], (i, at) => cpu(i, at) * 0.6);
  if (/FROM memory/.test(sql)) return series(params, ['used'], (_, at) => 8.1e9 + 6e8 * wave(3, at, 90_000));
  if (/FROM load/.test(sql)) return series(params, ['1m'], (_, at) => 2.4 * wave(1, at, 120_000));
  if (/FROM network/.test(sql)) return series(params, ['eth0', 'lo', 'docker0'], (i, at) => 4e6 * wave(i, at, 40_000) / (i + 1));
  if (/FROM processes/.test(sql)) return series(params, ['arus', 'cargo', 'chromium', 'node', 'psql', 'rustc', 'sshd', 'systemd'], (i, at) => 30 * wave(i * 3, at, 50_000) / (i + 1));
  if (/COUNT\(\*\) AS events FROM hello/.test(sql)) return answer(fields('events:int8'), [[hello.length]]);
  if (/\$quarantine/.test(sql)) return answer(fields('reason:text rows:int8 last:timestamptz'), [['value: "12,50" is not DECIMAL(10, 2)', 41, iso(now - 7_000)], ['not JSON: unexpected end at byte 88', 13, iso(now - 350_000)], ['ts is 3 days ahead', 3, iso(now - 4_900_000)]]);
  if (/"host_5s"/.test(sql)) {
    const last = Math.floor((now - 1_500) / 5_000) * 5_000;
    const rows = Array.from({ length: 50 }, (_, i) => { const at = last - Math.floor(i / 5) * 5_000; return [naive(at - 5_000), naive(at), 'cpu', `cpu${i % 5}`, cpu(i % 5, at)]; });
    return answer(fields('window_start:timestamp window_end:timestamp metric:text device:text value:float8'), rows);
  }
  if (/"top_processes"/.test(sql)) return answer(fields('command:text cpu:float8 rss:int8'), ['rustc', 'cargo', 'chromium', 'arus', 'node'].map((name, i) => [name, cpu(i, now) / (i + 1), Math.floor(4e8 / (i + 1))]));
  if (/"hello_counts"/.test(sql)) {
    const by = new Map();
    for (const each of hello) by.set(each.name, [each.name, (by.get(each.name)?.[1] ?? 0) + 1, (by.get(each.name)?.[2] ?? 0) + each.n]);
    return answer(fields('name:text events:int8 total:int8'), [...by.values()]);
  }
  if (/"host_metrics"/.test(sql)) return answer(fields('ts:timestamptz host:text metric:text device:text value:float8'), Array.from({ length: 50 }, (_, i) => [iso(now - 300 - Math.floor(i / 4) * 1_000), 'demo', 'cpu', `cpu${i % 4}`, cpu(i % 4, now - i * 250)]));
  return null;
}

function newest(name, limit) {
  if (name === 'hello') return answer(fields('name:text n:int4'), hello.slice(-limit).reverse().map((each) => [each.name, each.n]));
  const own = query(`"${name}"`);
  if (own) return own;
  const now = Date.now();
  const rows = Array.from({ length: limit }, (_, i) => { const n = Math.floor(now / 40) - i; return [null, `\\x7b22706167${n.toString(16)}`, `{"page":"/shop/${n % 97}","user":${n % 4001}}`, {}, iso(n * 40), n % 4, Math.floor(n / 4)]; });
  return answer(fields('key:bytea value:bytea text:text headers:jsonb timestamp:timestamptz partition:int4 offset:int8'), rows);
}

const json = (response, status, body) => { response.writeHead(status, { 'content-type': 'application/json' }); response.end(JSON.stringify(body)); };
const refuse = (response, status, kind, message, hint) => json(response, status, { error: { kind, message, line: null, column: null, hint: hint ?? null } });
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function page(response, path) {
  const safe = normalize(path).replace(/^(\.\.[/\\])+/, '');
  const file = extname(safe) ? safe : '/index.html';
  try {
    const bytes = await readFile(join(DIST, file));
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:" });
    response.end(bytes);
  } catch {
    response.writeHead(404);
    response.end('not built: npm run build');
  }
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://mock');
  const path = url.pathname;
  hello = sent.filter((each) => Math.floor((each.at - started) / 250) < epochNow());
  if (path === '/v1/console/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const send = () => response.write(`event: tick\ndata: ${JSON.stringify({ incarnation, epoch: epochNow(), durable_epoch: epochNow() - 3, now_ms: Date.now(), checkpoint_age_ms: Date.now() % 900 })}\n\n`);
    send();
    const timer = setInterval(send, 250);
    request.on('close', () => clearInterval(timer));
    return;
  }
  if (path === '/v1/console/query') {
    const { sql, params } = JSON.parse(await body(request));
    const result = query(sql, params);
    return result ? json(response, 200, result) : refuse(response, 400, 'User', `the mock does not know this statement: ${sql}`, 'add it to mock/server.mjs');
  }
  if (path === '/v1/console/watch') {
    const { panels, once } = JSON.parse(await body(request));
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const send = () => {
      const to = Date.now();
      for (const panel of panels) {
        const from = to - panel.last_ms;
        const result = query(panel.sql, { ...panel.params, from: iso(from), to: iso(to) });
        const { columns, rows, ...cut } = result ?? answer([], []);
        response.write(`${JSON.stringify(result ? { panel: panel.id, ...cut, from_ms: from, to_ms: to, data: { columns, rows } } : { panel: panel.id, error: { kind: 'User', message: 'the mock does not know this statement' } })}\n`);
      }
    };
    send();
    if (once) return response.end();
    const timer = setInterval(send, 250);
    response.on('close', () => clearInterval(timer));
    return;
  }
  const table = /^\/v1\/console\/tables\/([^/]+)\/newest$/.exec(path);
  if (table) return json(response, 200, newest(decodeURIComponent(table[1]), Number(url.searchParams.get('limit') ?? 50)));
  const rows = /^\/v1\/tables\/hello\/rows$/.exec(path);
  if (rows && request.method === 'POST') {
    sent.push({ ...JSON.parse(await body(request)), at: Date.now() });
    return json(response, 200, { accepted: 1, rejected: [], unknown_fields: [] });
  }
  if (path === '/v1/console/server') {
    return json(response, 200, { version: '0.1.0', name: EMPTY ? 'my-project' : 'demo', started_ms: started, incarnation, doors: { http: `127.0.0.1:${PORT}`, postgres: '127.0.0.1:5432', kafka: '127.0.0.1:9092' }, cores: 8, memory: { used_bytes: 4.1e8, budget_bytes: 8e9 }, disk: { used_bytes: 3.1e9, free_bytes: 3.69e10 } });
  }
  if (path === '/v1/console/dashboards') return json(response, 200, EMPTY ? [] : [{ name: 'host', title: 'This machine' }]);
  if (path === '/v1/console/dashboards/host') return json(response, 200, DASHBOARD);
  if (path.startsWith('/v1/')) return refuse(response, 404, 'User', `there is nothing at ${path}`);
  return page(response, decodeURIComponent(path));
});
server.listen(PORT, '127.0.0.1', () => console.log(`mock of the console's API on http://127.0.0.1:${PORT}`));
