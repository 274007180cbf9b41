// Starts the browser for the tests: Debian's Chromium, driven by playwright-core.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export async function launch() {
  const executablePath = PLACES.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('no browser found: apt-get install chromium, or name one in CHROMIUM');
  // Without the network flags the browser asks hosts outside at every start.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--force-color-profile=srgb', '--font-render-hinting=none'];
  return chromium.launch({ executablePath, headless: true, args });
}

export const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** A page that reports what it asked outside of the server, and what it complained of. */
export async function open(browser, url, { theme = 'light', size = 'wide', scale = 1 } = {}) {
  const context = await browser.newContext({ viewport: SIZES[size], deviceScaleFactor: scale, colorScheme: theme, timezoneId: 'Europe/Berlin', permissions: ['clipboard-read', 'clipboard-write'] });
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const origin = new URL(url).origin;
  page.outside = [];
  page.complaints = [];
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin && !request.url().startsWith('data:')) page.outside.push(request.url());
  });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text())) page.complaints.push(message.text());
  });
  await page.goto(url);
  return page;
}
