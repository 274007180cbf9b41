//! The outline of a small line.

export interface SparkShape {
  line: string;
  startX: number;
  endX: number;
  endY: number;
}

const PAD = 2.5;

/** With fewer than `steps` steps the line fills only its right part, so that a young line grows instead of stretching. Its top is `most`, or its largest value beyond it. */
export function sparkPath(values: number[], width: number, height: number, zero: boolean, steps = 1, most = -Infinity): SparkShape | null {
  if (values.length < 2) return null;
  const high = Math.max(most, ...values);
  const least = Math.min(...values);
  const low = zero ? Math.min(0, least) : least - (high - least) * 0.1;
  const step = (width - PAD * 2) / Math.max(steps, values.length - 1);
  const first = width - PAD - step * (values.length - 1);
  const x = (i: number) => first + i * step;
  const y = (value: number) => height - PAD - ((value - low) / (high - low || 1)) * (height - PAD * 2);
  const at = (n: number) => n.toFixed(1);
  const line = values.map((value, i) => `${i === 0 ? 'M' : 'L'}${at(x(i))} ${at(y(value))}`).join('');
  return { line, startX: Number(at(first)), endX: Number(at(x(values.length - 1))), endY: Number(at(y(values[values.length - 1] ?? 0))) };
}
