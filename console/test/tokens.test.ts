import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

// The tokens' promises: text at 5:1 or better on every ground it stands on, series apart for all eyes.
const css = readFileSync('src/style/tokens.css', 'utf8');
const block = (from: RegExp) => css.slice(css.search(from)).split('}')[0] ?? '';
const read = (text: string) => new Map([...text.matchAll(/(--[a-z0-9-]+):\s*(#[0-9A-Fa-f]{6})/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
const light = read(block(/:root \{\n {2}color-scheme: light/));
const themes = { light, dark: new Map([...light, ...read(block(/:root\[data-theme="dark"\]/))]) };

type Rgb = [number, number, number];
const rgb = (hex: string): Rgb => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as Rgb;
const linear = (value: number) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
const luminance = (color: Rgb) => 0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2]);
function contrast(a: string, b: string): number {
  const [x, y] = [luminance(rgb(a)), luminance(rgb(b))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

for (const [name, tokens] of Object.entries(themes)) {
  const of = (token: string) => tokens.get(token) ?? assert.fail(`${name} has no ${token}`);
  test(`${name}: text stands at 5:1 or better`, () => {
    const grounds = ['--page', '--panel', '--sunken', '--accent-wash'];
    for (const ink of ['--ink', '--secondary', '--accent', '--syn-keyword', '--syn-string', '--syn-comment']) {
      for (const ground of grounds) assert.ok(contrast(of(ink), of(ground)) >= 5, `${ink} on ${ground}: ${contrast(of(ink), of(ground)).toFixed(2)}`);
    }
    for (const [ink, ground] of [['--warn', '--warn-wash'], ['--critical', '--critical-wash'], ['--ok', '--panel'], ['--ink', '--ok-wash'], ['--on-accent', '--accent'], ['--warn', '--panel'], ['--critical', '--panel']]) {
      assert.ok(contrast(of(ink ?? ''), of(ground ?? '')) >= 5, `${ink} on ${ground}`);
    }
  });
  test(`${name}: control edges stand at 3:1 or better`, () => {
    for (const ground of ['--page', '--panel']) assert.ok(contrast(of('--edge'), of(ground)) >= 3, `edge on ${ground}`);
  });
  test(`${name}: series are apart for common colour vision`, () => {
    const series = [1, 2, 3, 4, 5, 6].map((i) => of(`--s${i}`));
    for (const [kind, matrix] of Object.entries(VISION)) {
      for (let i = 0; i < series.length; i += 1) {
        for (let j = i + 1; j < series.length; j += 1) {
          const distance = deltaE(seen(rgb(series[i] ?? ''), matrix), seen(rgb(series[j] ?? ''), matrix));
          assert.ok(distance >= 9, `${kind}: series ${i + 1} and ${j + 1} are ${distance.toFixed(1)} apart`);
        }
      }
    }
  });
}

// Machado, Oliveira and Fernandes 2009, full severity, on linear RGB.
const VISION: Record<string, number[]> = {
  usual: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
};

function seen(color: Rgb, matrix: number[]): Rgb {
  const c = color.map(linear) as Rgb;
  return [0, 3, 6].map((row) => Math.min(1, Math.max(0, (matrix[row] ?? 0) * c[0] + (matrix[row + 1] ?? 0) * c[1] + (matrix[row + 2] ?? 0) * c[2]))) as Rgb;
}

// CIE76 on linear RGB is enough to tell colours that are close from those that are not.
function deltaE(a: Rgb, b: Rgb): number {
  const [x, y] = [lab(a), lab(b)];
  return Math.hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]);
}

function lab([r, g, b]: Rgb): Rgb {
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
