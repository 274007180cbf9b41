// Pictures of every screen for the eye: node e2e/shots.mjs URL FOLDER [--wait SECONDS]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, open } from './browser.mjs';

const [base, folder, ...rest] = process.argv.slice(2);
if (!base || !folder) throw new Error('usage: node e2e/shots.mjs URL FOLDER [--wait SECONDS] [--only NAME,..]');
const waitS = Number(rest[rest.indexOf('--wait') + 1] || 3);
mkdirSync(folder, { recursive: true });

const only = rest.includes('--only') ? rest[rest.indexOf('--only') + 1].split(',') : null;
const browser = await launch();
const names = await (await fetch(`${base}/v1/console/dashboards`)).json();
const ask = async (sql) => (await (await fetch(`${base}/v1/console/query`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql, params: {} }) })).json());
const tables = await ask('SELECT * FROM arus.tables');
const pipelines = await ask('SELECT * FROM arus.pipelines');
const column = (answer, name) => answer.rows.map((row) => row[answer.columns.findIndex((each) => each.name === name)]);
const screens = [['overview', '/'], ['data', '/data'], ['pipelines', '/pipelines'], ['dashboards', '/dashboards'], ['sql', '/sql'], ['settings', '/settings'], ['alerts', '/alerts']];
for (const name of column(tables, 'name')) screens.push([`data-${name}`, `/data/${encodeURIComponent(name)}`]);
for (const id of column(pipelines, 'id')) screens.push([`pipeline-${id}`, `/pipelines/${encodeURIComponent(id)}`]);
for (const { name } of names) screens.push([`dashboard-${name}`, `/dashboards/${name}`]);

for (const theme of ['light', 'dark']) {
  for (const size of ['wide', 'phone']) {
    const page = await open(browser, base, { theme, size });
    for (const [name, path] of screens) {
      if (only && !only.some((each) => name.startsWith(each))) continue;
      await page.goto(base + path);
      await page.waitForTimeout(waitS * 1000);
      await page.screenshot({ path: join(folder, `${name}-${theme}${size === 'phone' ? '-390' : ''}.png`) });
    }
    if (page.complaints.length) console.log(theme, size, page.complaints);
    await page.context().close();
  }
}
await browser.close();
