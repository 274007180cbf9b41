//! Figures and times as the console writes them: tabular, with units, the same on every screen.

export const DASH = '–';

const grouped = (digits: number) =>
  new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const GROUPED = [0, 1, 2, 3, 4, 5, 6].map(grouped);

/** `1234.5` with one decimal is `1,234.5`. */
export function decimal(value: number, digits: number): string {
  const format = GROUPED[Math.max(0, Math.min(6, digits))];
  return format ? format.format(value).replace('-', '−') : String(value);
}

/** A count in full up to a million, then with three figures: `8.41 M`. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const size = Math.abs(value);
  if (size < 1e6) return decimal(value, 0);
  const [unit, scale] = size < 1e9 ? ['M', 1e6] : size < 1e12 ? ['G', 1e9] : ['T', 1e12];
  const scaled = value / scale;
  return `${decimal(scaled, Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0)} ${unit}`;
}

/** A rate keeps one decimal while it is small, since 0.2 a second is not nothing. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  if (value !== 0 && Math.abs(value) < 9.95) return decimal(value, 1);
  return count(Math.round(value));
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return DASH;
  const value = share * 100;
  return value > 0 && value < 0.95 ? '< 1 %' : `${decimal(value, 0)} %`;
}

/** Bytes in powers of 1000, as disks are sold: `1.9 GB`. */
export function bytes(value: number | null | undefined): string {
  const [figure, unit] = byteParts(value);
  return unit ? `${figure} ${unit}` : figure;
}

export function byteParts(value: number | null | undefined): [string, string] {
  if (value === null || value === undefined || !Number.isFinite(value)) return [DASH, ''];
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let at = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 999.5 && at < units.length - 1) {
    scaled /= 1000;
    at += 1;
  }
  return [decimal(scaled, at === 0 || Math.abs(scaled) >= 99.5 ? 0 : 1), units[at] ?? 'B'];
}

/** Two sizes against each other, in the unit of the second: `0.4 of 8 GB`. */
export function bytesOf(part: number, whole: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const at = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, whole)) / 3)));
  const scale = 1000 ** at;
  const figure = (value: number) => decimal(value / scale, value / scale >= 9.95 ? 0 : 1);
  return `${figure(part)} of ${figure(whole).replace(/\.0$/, '')} ${units[at]}`;
}

/** A length of time in its largest fitting unit: `0.4 s`, `40 s`, `12 min`, `3 h`, `4 d`. */
export function span(ms: number | null | undefined): string {
  const [figure, unit] = spanParts(ms);
  return unit ? `${figure} ${unit}` : figure;
}

export function spanParts(ms: number | null | undefined): [string, string] {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return [DASH, ''];
  const s = Math.max(0, ms) / 1000;
  if (s < 0.05) return ['0', 's'];
  if (s < 9.95) return [decimal(s, 1), 's'];
  if (s < 99.5) return [decimal(s, 0), 's'];
  if (s < 5_970) return [decimal(s / 60, 0), 'min'];
  if (s < 172_800) return [decimal(s / 3_600, 0), 'h'];
  return [decimal(s / 86_400, 0), 'd'];
}

const CLOCKS = new Map<string, Intl.DateTimeFormat>();

function clockFor(zone: string, kind: 'time' | 'minute' | 'date'): Intl.DateTimeFormat {
  const key = `${kind} ${zone}`;
  const known = CLOCKS.get(key);
  if (known) return known;
  const shape: Intl.DateTimeFormatOptions =
    kind === 'date'
      ? { year: 'numeric', month: '2-digit', day: '2-digit' }
      : { hour: '2-digit', minute: '2-digit', ...(kind === 'time' ? { second: '2-digit' } : {}), hourCycle: 'h23' };
  // en-CA writes dates as 2026-11-21.
  const made = new Intl.DateTimeFormat('en-CA', { ...shape, timeZone: zone });
  CLOCKS.set(key, made);
  return made;
}

/** `10:03:05` in the zone. */
export const clock = (ms: number, zone: string): string => clockFor(zone, 'time').format(ms);
/** `10:03` in the zone. */
export const minute = (ms: number, zone: string): string => clockFor(zone, 'minute').format(ms);
/** `2026-11-21` in the zone. */
export const day = (ms: number, zone: string): string => clockFor(zone, 'date').format(ms);

/** The clock alone for today, the date before it for other days. */
export function moment(ms: number, zone: string, nowMs: number): string {
  const time = clock(ms, zone);
  return day(ms, zone) === day(nowMs, zone) ? time : `${day(ms, zone)} ${time}`;
}

/** The time of an ISO string in ms, or null. Text without a zone is read as UTC, so that it is shown as it stands. */
export function timeOf(cell: unknown): number | null {
  if (typeof cell === 'number') return cell;
  if (typeof cell !== 'string') return null;
  const zoned = /(?:[zZ]|[+-]\d\d(?::?\d\d)?)$/.test(cell);
  const ms = Date.parse(zoned ? cell.replace(' ', 'T') : `${cell.replace(' ', 'T')}Z`);
  return Number.isNaN(ms) ? null : ms;
}

/** A cell as a number, or null: int64 beyond 2^53 and decimals come as strings. */
export function numberOf(cell: unknown): number | null {
  if (typeof cell === 'number') return cell;
  if (typeof cell === 'string' && cell.trim() !== '') {
    const value = Number(cell);
    return Number.isFinite(value) ? value : null;
  }
  return null;
}

export function isNumeric(type: string): boolean {
  return /^(u?int|smallint|bigint|tinyint|float|double|real|numeric|decimal)/i.test(type);
}

export function isZonedTime(type: string): boolean {
  return /^(timestamptz|timestamp_ltz|timestamp with)/i.test(type);
}

export function isTime(type: string): boolean {
  return /^timestamp/i.test(type);
}

/** A cell as text. Times with a zone move to the page's; others stand as they are. */
export function cellText(cell: unknown, type: string, zone: string, nowMs: number): string {
  if (cell === null || cell === undefined) return 'NULL';
  if (isTime(type)) return timeText(cell, type, zone, nowMs);
  if (typeof cell === 'number') return Number.isInteger(cell) ? String(cell) : floatText(cell);
  if (typeof cell === 'object') return JSON.stringify(cell);
  return String(cell);
}

function timeText(cell: unknown, type: string, zone: string, nowMs: number): string {
  const ms = timeOf(cell);
  if (ms === null) return String(cell);
  const shown = isZonedTime(type) ? zone : 'UTC';
  const fraction = String(((ms % 1000) + 1000) % 1000).padStart(3, '0');
  return `${moment(ms, shown, nowMs)}${fraction === '000' ? '' : `.${fraction}`}`;
}

function floatText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(4);
  return String(Number(value.toPrecision(7)));
}

/** `15m`, `2h`, `30s`, `1d` in ms, or null. */
export function rangeMs(text: string | undefined): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)\s*$/.exec(text ?? '');
  if (!match) return null;
  const scale: Record<string, number> = { ms: 1, s: 1e3, m: 6e4, min: 6e4, h: 3.6e6, d: 8.64e7 };
  return Number(match[1]) * (scale[match[2] ?? 's'] ?? 1e3);
}

/** `1 row`, `2 rows`. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

/** The times in a message of the server, in the page's zone. */
export const withTimes = (text: string, zone: string, nowMs: number): string =>
  text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) => moment(Date.parse(time), zone, nowMs));
