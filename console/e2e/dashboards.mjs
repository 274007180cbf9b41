// Dashboards: made, edited by clicks and as YAML, saved to their files, never over somebody else's change; what panels show where
// something is wrong; two tabs, another clock and a slow link.

import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from './browser.mjs';
import { psql } from './servers.mjs';

export function dashboardChecks({ mock, axe, settled, eventually, post, shot, LIMIT_MS }) {
  const board = (server, name) => join(server.folder, 'dashboards', `${name}.yaml`);
  const saved = (page) => page.waitForSelector('[data-testid=save][aria-busy=false]:disabled', { timeout: LIMIT_MS });

  /** Every kind of chart of the demo draws; a choice is bound; a file may be broken without the others. */
  async function boards({ browser, server }) {
    if (mock) return;
    const page = await open(browser, `${server.base}/dashboards/shop`);
    const all = await page.waitForFunction(() => {
      const panels = [...document.querySelectorAll('section[data-panel]')];
      return panels.length >= 10 && panels.every((panel) => panel.dataset.epoch) && !document.querySelector('.bones') && panels.length;
    }, null, { timeout: LIMIT_MS });
    assert.ok((await all.jsonValue()) >= 10);
    assert.equal(await page.$('.refusal'), null, await page.$eval('main', (main) => [...main.querySelectorAll('.refusal')].map((each) => each.textContent).join('; ')));
    await eventually('the map and the bars are drawn', 20_000, async () => (await page.$$('section.map path')).length > 100 && (await page.$$('section.stacked .host path')).length > 0 && (await page.$$('section.heatmap .host path')).length === 5);
    await page.click('summary:has-text("Category")');
    await page.click('fieldset label:has-text("Books")');
    assert.equal(new URL(page.url()).searchParams.get('var-category'), 'Books');
    await page.keyboard.press('Escape');
    await eventually('one line is left', 20_000, async () => (await page.$$('[data-testid=panel-revenue] .labels span.trunc')).length === 0);
    for (const theme of ['light', 'dark']) await axe(page, theme, 'the shop');
    // Bars and cells are read by keys.
    await page.focus('section.stacked [aria-roledescription=chart]');
    await page.keyboard.press('ArrowLeft');
    await eventually('a bar is spoken', 10_000, async () => /\d\d:\d\d:\d\d: .*\d/.test(await page.textContent('section.stacked [aria-live]')));
    writeFileSync(board(server, 'broken'), 'title: [');
    await page.goto(`${server.base}/dashboards`);
    await page.waitForSelector('tr:has-text("broken") .critical', { timeout: LIMIT_MS });
    await page.waitForSelector('a:text-is("Shop, live")');
    await page.click('tr:has-text("broken") a');
    await page.waitForSelector('.refusal:has-text("line")', { timeout: LIMIT_MS });
    rmSync(board(server, 'broken'));
    await settled(page);
  }

  /** A dashboard from a table, a panel added, changed, moved, sized and deleted, all in one file with its comments. */
  async function editByClicks({ browser, server }) {
    if (mock) return;
    const page = await open(browser, `${server.base}/dashboards`);
    await page.fill('[data-testid=new-title]', 'My first');
    await page.selectOption('[data-testid=new-from]', 'host_cpu');
    await page.click('button:text-is("Make it")');
    await page.waitForURL(/\/dashboards\/my-first\?edit=1/);
    await page.waitForSelector('[data-frame=over_time]', { timeout: LIMIT_MS });
    const file = board(server, 'my-first');
    const first = readFileSync(file, 'utf8');
    assert.match(first, /chart: line/);
    await page.waitForSelector('.uplot canvas', { timeout: LIMIT_MS });
    for (const theme of ['light', 'dark']) await axe(page, theme, 'a dashboard in the making');
    // A panel of one's own: statement, kind, unit.
    await page.click('button:text-is("Add panel")');
    await page.waitForSelector('[data-testid=panel-form] .cm-content', { timeout: LIMIT_MS });
    await page.fill('[data-testid=panel-form] label:has-text("Title") input', 'Cores, now');
    await page.click('[data-testid=panel-form] .cm-content');
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText("SELECT core, MAX(usage) AS usage\nFROM host_cpu\nWHERE ts > :from\nGROUP BY core");
    await page.keyboard.press('Control+Enter');
    await eventually('the columns are known', 30_000, async () => (await page.$$('[data-testid=panel-form] label:has-text("Main column") option:has-text("usage")')).length === 1);
    await page.selectOption('[data-testid=panel-form] label:has-text("Shown as") select', 'top');
    await page.selectOption('[data-testid=panel-form] label:has-text("Value"):not(:has-text("Shown as")) select', 'usage');
    await page.fill('[data-testid=panel-form] label:has-text("Unit") input', '%');
    await page.keyboard.press('Tab');
    await page.waitForSelector('[data-testid=panel-panel] .bars', { timeout: LIMIT_MS });
    for (const theme of ['light', 'dark']) await axe(page, theme, 'a panel in the making');
    await page.click('[data-testid=panel-form] button:text-is("Done")');
    // Moved and sized by keys, moved by the pointer: what lies there makes room.
    await page.focus('[data-frame=panel]');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Shift+ArrowDown');
    const box = await (await page.$('[data-frame=rows]')).boundingBox();
    await page.mouse.move(box.x + 40, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + 40, box.y + 40 - 5 * 76, { steps: 5 });
    await page.mouse.up();
    assert.equal(readFileSync(file, 'utf8'), first, 'nothing is written before Save');
    await page.click('[data-testid=save]');
    await saved(page);
    const text = readFileSync(file, 'utf8');
    assert.match(text, /- id: rows[\s\S]*at: \[0, 0, 12, 5\][\s\S]*- id: panel\n    title: 'Cores, now'\n    at: \[1, \d+, 6, 5\]\n    chart: top\n    sql: \|\n      SELECT core, MAX\(usage\) AS usage\n      FROM host_cpu\n/);
    assert.match(text, /at: \[0, 5, 12, 5\] +# column, row, width, height on a grid of 12/, 'the comment stays beside its field');
    assert.ok(text.startsWith(first.split('\n').slice(0, 2).join('\n')), 'the comment at the top stays');
    // Deleted, and taken back.
    await page.focus('[data-frame=panel]');
    await page.keyboard.press('Delete');
    await page.waitForSelector('[data-testid=panel-panel]', { state: 'detached' });
    await page.click('button:text-is("Undo")');
    await page.waitForSelector('[data-testid=panel-panel]');
    await page.waitForSelector('[data-testid=save]:disabled');
    // The same text, as YAML.
    await page.click('button:text-is("YAML")');
    await page.waitForSelector('[data-testid=yaml]');
    assert.equal(await page.inputValue('[data-testid=yaml]'), text);
    await page.fill('[data-testid=yaml]', text.replace('title: My first', 'title: [My first'));
    await page.waitForSelector('.yaml [role=alert]');
    assert.ok(await page.isDisabled('[data-testid=save]'), 'a broken text is not saved');
    await page.fill('[data-testid=yaml]', text.replace('title: My first', 'title: Mine'));
    for (const theme of ['light', 'dark']) await axe(page, theme, 'the YAML view');
    await page.click('[data-testid=save]');
    await saved(page);
    assert.match(readFileSync(file, 'utf8'), /^title: Mine$/m);
    await settled(page);
  }

  /** Title, range, zone and variables by a form; the file keeps its comments and order. */
  async function boardForm({ browser, server }) {
    if (mock) return;
    const file = board(server, 'by-form');
    const head = '# kept at the top\narus: dashboard/v1\ntitle: By form  # kept beside\n\n';
    const panels = "# kept above the panels\npanels:\n  - id: a\n    at: [0, 0, 6, 4]   # kept too\n    chart: top\n    sql: SELECT page, COUNT(*) AS n FROM page_views WHERE page = ANY(:page) GROUP BY page\n    x: page\n    y: {field: n}\n";
    writeFileSync(file, head + panels);
    const page = await open(browser, `${server.base}/dashboards/by-form?edit=1`);
    await page.click('[data-testid=of-board]');
    const form = '[data-testid=board-form]';
    await page.waitForSelector(form, { timeout: LIMIT_MS });
    const change = async (label, value) => {
      await page.fill(`${form} label:has-text("${label}") :is(input, textarea)`, value);
      await page.keyboard.press('Tab');
    };
    await change('Title', 'Pages: by form');
    await change('Time range', 'soon');
    await page.waitForSelector(`${form} [role=alert]:has-text("15m")`);
    await change('Time range', '1h');
    await change('Time zone', 'Europe/Berlin');
    await eventually('the page has the zone', 20_000, async () => (await page.$$('.tools:has-text("Europe/Berlin")')).length === 1);
    assert.equal(await page.$(`${form} [role=alert]`), null);
    await page.selectOption('[data-testid=variable-of]', { label: 'page_views.page' });
    await page.click(`${form} button:text-is("Add")`);
    await eventually('its choices are known', 60_000, async () => /= ANY\(:page\)\s+[2-9] choices/.test(await page.textContent(`${form} [data-variable=page] [role=status]`)));
    await eventually('the panel has its rows', 60_000, async () => (await page.$$('[data-testid=panel-a] .bars > *, [data-testid=panel-a] .bars tr')).length > 1);
    await page.fill(`${form} [data-variable=page] label:has-text("Shown as") input`, 'Page');
    await page.keyboard.press('Tab');
    await page.waitForSelector('summary:has-text("Page: all")', { timeout: LIMIT_MS });
    await page.fill(`${form} [data-variable=page] label:has-text("Name") input`, 'which');
    await page.keyboard.press('Tab');
    await page.waitForSelector(`${form} [data-variable=which]`, { timeout: LIMIT_MS });
    await page.selectOption('[data-testid=variable-of]', 'list');
    await page.click(`${form} button:text-is("Add")`);
    await page.fill(`${form} [data-variable=choice] textarea`, 'a\nb, c');
    await page.keyboard.press('Tab');
    for (const theme of ['light', 'dark']) await axe(page, theme, 'the form of a dashboard');
    assert.equal(readFileSync(file, 'utf8'), head + panels, 'nothing is written before Save');
    await page.click('[data-testid=save]');
    await saved(page);
    const variables = "variables:\n  which: {sql: SELECT DISTINCT page FROM page_views ORDER BY 1, multi: true, label: Page}\n  choice: {values: [a, 'b, c']}\n";
    const wanted = head.replace('title: By form', "title: 'Pages: by form'") + 'time: {last: 1h, zone: Europe/Berlin}\n' + variables + panels.replace(/sql: (.*):page(.*)/, "sql: '$1:which$2'");
    assert.equal(readFileSync(file, 'utf8'), wanted);
    await page.click(`${form} [aria-label="Delete variable choice"]`);
    await page.click('[data-testid=save]');
    await saved(page);
    assert.equal(readFileSync(file, 'utf8'), wanted.replace("  choice: {values: [a, 'b, c']}\n", ''));
    await shot(page, 'board-form');
    rmSync(file);
    await settled(page);
  }

  /** Somebody changes the file meanwhile: it is shown, nothing is overwritten, and the clicks can be made anew in theirs. */
  async function conflict({ browser, server }) {
    if (mock) return;
    const file = board(server, 'two-sides');
    const text = '# ours\narus: dashboard/v1\ntitle: Two sides\npanels:\n  - {id: a, at: [0, 0, 6, 4], chart: table, sql: SELECT * FROM hello_by_name, y: {field: events}}\n';
    writeFileSync(file, text);
    const page = await open(browser, `${server.base}/dashboards/two-sides`);
    await page.waitForSelector('[data-testid=edit]', { timeout: LIMIT_MS });
    await page.focus('main');
    await page.keyboard.press('e');
    await page.waitForSelector('[data-frame=a]', { timeout: LIMIT_MS });
    await page.focus('[data-frame=a]');
    await page.keyboard.press('ArrowRight');
    const theirs = text.replace('Two sides', 'Theirs').replace('# ours', '# theirs');
    writeFileSync(file, theirs);
    await page.click('[data-testid=save]');
    await page.waitForSelector('[data-testid=conflict]', { timeout: LIMIT_MS });
    assert.equal(readFileSync(file, 'utf8'), theirs, 'the file was overwritten');
    assert.match(await page.textContent('[data-testid=conflict]'), /title: Theirs[\s\S]*at: \[1, 0, 6, 4\]/);
    for (const theme of ['light', 'dark']) await axe(page, theme, 'a conflict');
    await page.click('button:text-is("Make my changes in theirs")');
    await page.click('[data-testid=save]');
    await saved(page);
    assert.equal(readFileSync(file, 'utf8'), theirs.replace('[0, 0, 6, 4]', '[1, 0, 6, 4]'));
    await settled(page);
  }

  /** A table as CSV, a panel as PNG, the board alone by a link that offers no change. */
  async function exportsAndLink({ browser, server }) {
    if (mock) return;
    const page = await open(browser, `${server.base}/dashboards/host`);
    await page.waitForSelector('[data-testid=panel-cores] .uplot canvas', { timeout: LIMIT_MS });
    const get = async (what) => {
      await page.click('[aria-label="More for CPU per core"]');
      const [file] = await Promise.all([page.waitForEvent('download', { timeout: LIMIT_MS }), page.click(`[data-testid=panel-cores] button:text-is("${what}")`)]);
      return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
    };
    const csv = await get('Rows as CSV');
    assert.equal(csv.name, 'host-cores.csv');
    assert.match(csv.bytes.toString(), /^ts,core,usage\r\n/);
    const png = await get('Picture as PNG');
    assert.equal(png.name, 'host-cores.png');
    assert.equal(png.bytes.subarray(1, 4).toString(), 'PNG');
    assert.ok(png.bytes.length > 4_000, `a picture of ${png.bytes.length} bytes`);
    await page.click('[aria-label="Copy the link that shows the board alone"]');
    const link = await page.evaluate(() => navigator.clipboard.readText());
    await page.goto(link);
    await page.waitForSelector('[data-testid=panel-cores]', { timeout: LIMIT_MS });
    assert.equal(await page.$('nav'), null);
    assert.equal(await page.$('[data-testid=edit]'), null);
    await axe(page, 'dark', 'the board alone');
    await settled(page);
  }

  /** What is wrong is said where it is: a table that is gone, wrong SQL, no rows, a field that is not there. */
  async function brokenPanels({ browser, server }) {
    if (mock) return;
    await psql(server, 'CREATE TABLE silent (id INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts)');
    await psql(server, "CREATE MATERIALIZED TABLE silent_1m AS SELECT window_time AS ts, COUNT(*) AS n FROM TUMBLE(TABLE silent, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end, window_time");
    const panel = (id, x, sql, rest = '') => `  - {id: ${id}, at: [${x}, 0, 3, 4], chart: line, sql: '${sql}', x: ts, y: {field: n}${rest}}\n`;
    writeFileSync(board(server, 'trouble'), `arus: dashboard/v1\ntitle: Trouble\npanels:\n${panel('gone', 0, 'SELECT ts, n FROM no_such_table')}${panel('wrong', 3, 'SELEC ts FROM silent_1m')}${panel('empty', 6, 'SELECT ts, n FROM silent_1m WHERE ts > :from')}${panel('field', 9, 'SELECT 1 AS other')}`);
    await post(server.base, 'silent', { id: 1, ts: '2026-01-01 10:00:00Z' });
    const page = await open(browser, `${server.base}/dashboards/trouble`);
    const says = (id, words) => eventually(`${id} says it`, 30_000, async () => words.test(await page.textContent(`[data-testid=panel-${id}]`)));
    await says('gone', /no_such_table/);
    await says('wrong', /SELEC/i);
    await says('field', /returns no column n, which y\.field names\. It returns other/);
    await says('empty', /No row in this time range\..*silent/s);
    for (const theme of ['light', 'dark']) await axe(page, theme, 'panels in trouble');
    await shot(page, 'panels-in-trouble');
    await settled(page);
  }

  /** Two tabs of one server: a change of one is seen by the other, and its answers stay its own. */
  async function twoTabs({ browser, server }) {
    if (mock) return;
    const file = board(server, 'tabs');
    writeFileSync(file, 'arus: dashboard/v1\ntitle: Before\npanels:\n  - {id: a, at: [0, 0, 6, 4], chart: value, sql: SELECT COUNT(*) AS n FROM hello_by_name, y: {field: n}}\n');
    const one = await open(browser, `${server.base}/dashboards/tabs?edit=1`);
    const two = await one.context().newPage();
    await two.goto(`${server.base}/dashboards/tabs`);
    await two.waitForSelector('[data-testid=panel-a]', { timeout: LIMIT_MS });
    await one.bringToFront();
    await one.waitForSelector('[data-frame=a]', { timeout: LIMIT_MS });
    await one.focus('[data-frame=a]');
    await one.keyboard.press('Shift+ArrowRight');
    await one.click('[data-testid=save]');
    await saved(one);
    await two.bringToFront();
    await eventually('the other tab has it', 30_000, async () => (await two.$eval('[data-testid=panel-a]', (panel) => panel.getAttribute('style'))).includes('span 7'));
    rmSync(file);
    await eventually('a file that is gone is told', 30_000, async () => /does not exist/.test(await two.textContent('main')));
    await settled(one);
  }

  /** A browser whose clock is a quarter of an hour fast shows the server's time, and ranges of it. */
  async function clockSkew({ browser, server }) {
    if (mock) return;
    const page = await open(browser, 'about:blank');
    await page.addInitScript(() => {
      const now = Date.now.bind(Date);
      Date.now = () => now() + 900_000;
    });
    await page.goto(`${server.base}/dashboards/host`);
    await page.waitForSelector('[data-testid=panel-cpu_now] [data-testid=value]', { timeout: LIMIT_MS });
    await eventually('nothing is stale by the wrong clock', 30_000, async () => (await page.$$('section[data-panel].stale')).length === 0 && (await page.$$('[data-testid=panel-cores] .uplot canvas')).length === 1);
    const shown = await page.evaluate(() => document.querySelector('[data-testid=panel-cores] .time').textContent);
    const [h, m] = shown.split(':').map(Number);
    const real = new Date(new Date().toLocaleString('en-US', { timeZone: 'Europe/Berlin' }));
    const apart = Math.abs(h * 60 + m - (real.getHours() * 60 + real.getMinutes()));
    assert.ok(Math.min(apart, 1_440 - apart) <= 5, `the panel says ${shown}`);
    page.outside.length = 0;
    page.complaints.length = 0;
    await settled(page);
  }

  /** On a slow link answers come less often, and old values stay. */
  async function slowLink({ browser, server }) {
    if (mock) return;
    const page = await open(browser, `${server.base}/dashboards/host`);
    await page.waitForSelector('[data-testid=panel-cpu_now] [data-testid=value]', { timeout: LIMIT_MS });
    const wire = await page.context().newCDPSession(page);
    await wire.send('Network.emulateNetworkConditions', { offline: false, latency: 600, downloadThroughput: 24_000, uploadThroughput: 8_000 });
    const epoch = () => page.$eval('[data-testid=panel-cpu_now]', (panel) => Number(panel.dataset.epoch));
    const before = await epoch();
    await eventually('panels go on, slowly', 60_000, async () => (await epoch()) > before);
    // Another range is a new question, with old values until it is answered.
    await page.click('button:text-is("1 h")');
    assert.equal((await page.$$('.bones')).length, 0, 'old values stay');
    const asked = await epoch();
    await eventually('panels go on after a new question', 60_000, async () => (await epoch()) > asked);
    await settled(page);
  }

  return { boards, editByClicks, boardForm, conflict, exportsAndLink, brokenPanels, twoTabs, clockSkew, slowLink };
}
