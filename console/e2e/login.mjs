// A server with users: who is let in and out, what a reader is refused and why, and a login that ends by itself.

import assert from 'node:assert/strict';
import { open, SIZES } from './browser.mjs';

const PASSWORD = 'pl4nted-Secret';

export function loginChecks({ mock, bare, axe, settled, eventually, LIMIT_MS, shot }) {

  async function login({ browser }) {
    if (mock) return;
    const server = await bare();
    const admin = async (sql) => {
      const headers = { 'content-type': 'application/json', authorization: `Basic ${Buffer.from(`root:${PASSWORD}`).toString('base64')}` };
      const answer = await (await fetch(`${server.base}/v1/sql`, { method: 'POST', headers, body: JSON.stringify({ sql }) })).text();
      assert.doesNotMatch(answer, /"error"/, sql);
    };
    try {
      for (const sql of [
        `CREATE USER root WITH PASSWORD '${PASSWORD}'`,
        'CREATE TABLE met (name STRING, n INT)',
        "INSERT INTO met VALUES ('Ada', 1)",
        `CREATE USER ann WITH PASSWORD '${PASSWORD}'`,
        'GRANT monitor TO ann',
        'GRANT SELECT ON met TO ann',
        `CREATE USER bob WITH PASSWORD '${PASSWORD}'`,
      ]) await admin(sql);
      const page = await open(browser, `${server.base}/data`);
      const enter = async (user, password) => {
        await page.fill('#user', user);
        await page.fill('#password', password);
        await page.click('button:text-is("Log in")');
      };
      await page.waitForSelector('#user');
      assert.equal(await page.$('nav'), null, 'nothing of the server is shown before the login');
      for (const size of Object.values(SIZES)) {
        await page.setViewportSize(size);
        for (const theme of ['light', 'dark']) await axe(page, theme, `the login, ${size.width}`);
        await shot(page, `login-${size.width}`);
      }
      await page.setViewportSize(SIZES.wide);

      // ---- wrong, then right
      await enter('ann', 'wrong');
      await page.waitForSelector('.wrong:has-text("ann")', { timeout: LIMIT_MS });
      assert.match(await page.textContent('.wrong'), /password authentication failed for user 'ann'/);
      assert.equal(await page.inputValue('#password'), '', 'a wrong password stands no longer');
      assert.equal(await page.inputValue('#user'), 'ann');
      for (const theme of ['light', 'dark']) await axe(page, theme, 'a wrong password');
      await shot(page, 'login-wrong');
      await enter('ann', PASSWORD);
      await page.waitForSelector('[data-testid=who]:text-is("ann")', { timeout: LIMIT_MS });
      assert.equal(new URL(page.url()).pathname, '/data', 'the page that was asked for');
      const cookies = await page.context().cookies();
      assert.ok(cookies.length === 1 && cookies[0].httpOnly && cookies[0].sameSite === 'Strict', JSON.stringify(cookies));
      await page.reload();
      await page.waitForSelector('[data-testid=who]:text-is("ann")', { timeout: LIMIT_MS });

      // ---- a reader reads, and is told why she may not write
      await page.goto(`${server.base}/data/met`);
      await page.waitForSelector('[data-testid=rows] tbody tr:has-text("Ada")', { timeout: LIMIT_MS });
      await shot(page, 'reader-data');
      const refused = async (sql, why) => {
        await page.goto(`${server.base}/sql?sql=${encodeURIComponent(sql)}`);
        await page.waitForSelector('.cm-content');
        await page.click('button:text-is("Run")');
        await eventually(`${sql} is refused`, LIMIT_MS, async () => why.test(await page.textContent('main')));
      };
      await refused("INSERT INTO met VALUES ('Eve', 2)", /permission denied for table 'met'.*GRANT INSERT ON met TO ann/s);
      await shot(page, 'reader-insert');
      await axe(page, 'dark', 'a refused statement');
      await refused('CREATE TABLE mine (id INT)', /CREATE is for admins.*GRANT admin TO ann/s);
      await page.goto(`${server.base}/dashboards`);
      await page.fill('[data-testid=new-title]', 'Mine');
      await page.click('button:text-is("Make it")');
      await eventually('a dashboard is refused', LIMIT_MS, async () => /to change a dashboard is for admins/.test(await page.textContent('main')));
      await shot(page, 'reader-dashboard');
      await page.goto(`${server.base}/settings`);
      await page.waitForSelector('[data-testid=users]:has-text("is for admins")', { timeout: LIMIT_MS });
      for (const theme of ['light', 'dark']) await axe(page, theme, 'settings of a reader');
      await shot(page, 'reader-settings');

      // ---- out
      await page.click('header button:text-is("Log out")');
      await page.waitForSelector('#user', { timeout: LIMIT_MS });
      assert.equal(await page.evaluate(() => fetch('/v1/session').then((answer) => answer.status)), 401);
      await page.goBack();
      await page.waitForSelector('#user', { timeout: LIMIT_MS });
      assert.equal((await page.context().cookies()).length, 0);

      // ---- one who may see nothing of the server
      await enter('bob', PASSWORD);
      await page.waitForSelector('[data-testid=who]:text-is("bob")', { timeout: LIMIT_MS });
      await page.goto(server.base);
      await eventually('it says what is missing', LIMIT_MS, async () => /GRANT (SELECT|monitor)/.test(await page.textContent('main')));
      for (const theme of ['light', 'dark']) await axe(page, theme, 'the overview of one who may see nothing');
      await shot(page, 'nobody-overview');

      // ---- a login that ends while the page stands
      await admin(`ALTER USER bob WITH PASSWORD '${PASSWORD}2'`);
      await page.waitForSelector('#user', { timeout: LIMIT_MS });
      await enter('root', PASSWORD);
      await page.waitForSelector('[data-testid=who]:text-is("root")', { timeout: LIMIT_MS });
      await page.goto(`${server.base}/settings`);
      await page.waitForSelector('[data-testid=users] code:text-is("ann")', { timeout: LIMIT_MS });
      await settled(page);
    } finally {
      await server.stop();
    }
  }

  return { login };
}
