//! The only file that knows uPlot. The console gives lines and limits, and hears where the cursor is.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clock, day, minute } from '../format';
import { isScaled, measured, stack, type Lines } from './model';

export interface ChartShape {
  width: number;
  height: number;
  stacked: boolean;
  unit: string;
  decimals: number | undefined;
  min: number | undefined;
  max: number | undefined;
  zone: string;
  /** Charts of one page with the same key share their crosshair. */
  syncKey: string;
  onCursor: (index: number | null) => void;
}

export interface Colors {
  series: string[];
  other: string;
  ink: string;
  secondary: string;
  hairline: string;
  edge: string;
  panel: string;
}

export function themeColors(): Colors {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    series: [1, 2, 3, 4, 5, 6].map((i) => value(`--s${i}`)),
    other: value('--other'),
    ink: value('--ink'),
    secondary: value('--secondary'),
    hairline: value('--hairline'),
    edge: value('--edge'),
    panel: value('--panel'),
  };
}

const FONT = '12px Inter, system-ui, sans-serif';
const AREA_OPACITY = '29'; // 16 % as two hex digits behind the colour

export class TimePlot {
  #plot: uPlot;
  #gaps: [number, number][] = [];
  #shape: ChartShape;
  #stacked: boolean;

  constructor(host: HTMLElement, lines: Lines, shape: ChartShape, colors: Colors) {
    this.#shape = shape;
    this.#stacked = shape.stacked;
    this.#plot = new uPlot(this.#options(lines, shape, colors), [[], ...lines.lines.map(() => [])] as unknown as uPlot.AlignedData, host);
  }

  /** Draws the lines between two times in ms. The names must be those of the constructor. */
  draw(lines: Lines, fromMs: number, toMs: number): void {
    this.#gaps = lines.gaps;
    const ys = this.#stacked ? stack(lines.lines) : lines.lines.map((line) => line.values);
    const data = [lines.xs.map((at) => at / 1000), ...ys] as unknown as uPlot.AlignedData;
    this.#plot.batch(() => {
      this.#plot.setData(data, false);
      this.#plot.setScale('x', { min: fromMs / 1000, max: toMs / 1000 });
    });
  }

  resize(width: number, height: number): void {
    this.#plot.setSize({ width, height });
  }

  /** Where a value stands, in px from the top of the chart. */
  yOf(value: number): number {
    const { top, bottom } = this.plotArea();
    const y = top + this.#plot.valToPos(value, 'y');
    return Number.isFinite(y) ? Math.min(bottom, Math.max(top, y)) : bottom;
  }

  plotArea(): { top: number; bottom: number } {
    const ratio = uPlot.pxRatio;
    const { top, height } = this.#plot.bbox;
    return { top: top / ratio, bottom: (top + height) / ratio };
  }

  /** Moves the crosshair to a point by its index; null takes it away. */
  pointAt(index: number | null): void {
    const x = index === null ? undefined : this.#plot.data[0]?.[index];
    this.#plot.setCursor({ left: x === undefined ? -10 : this.#plot.valToPos(x, 'x'), top: x === undefined ? -10 : 0 });
  }

  destroy(): void {
    this.#plot.destroy();
  }

  #options(lines: Lines, shape: ChartShape, colors: Colors): uPlot.Options {
    const axis = { stroke: colors.secondary, font: FONT, ticks: { show: false }, border: { show: false } };
    const colorOf = (color: number) => (color === 0 ? colors.other : (colors.series[color - 1] ?? colors.other));
    const series: uPlot.Series[] = lines.lines.map((line) => ({
      label: line.name,
      stroke: colorOf(line.color),
      width: 1.5,
      // A line of one point is no line: it shows as a dot until there are more.
      points: { show: (plot, at) => lonely(plot.data[at]), size: 5, width: 1.5 },
      spanGaps: false,
      ...(shape.stacked ? { fill: `${colorOf(line.color)}${AREA_OPACITY}` } : {}),
    }));
    const bands = shape.stacked ? lines.lines.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as [number, number] })) : [];
    return {
      width: shape.width,
      height: shape.height,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), shape.zone),
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: { size: 6, width: 1.5 },
        sync: { key: shape.syncKey, setSeries: false, scales: ['x', null] },
      },
      scales: { x: { time: true, auto: false }, y: { range: (_plot, low, high) => yRange(shape, low, high) } },
      series: [{}, ...series],
      bands,
      axes: [
        { ...axis, size: 28, gap: 6, space: 60, grid: { show: false }, values: (plot, at, _axis, _space, step) => at.map((seconds) => (cut(plot, seconds) ? '' : timeLabel(seconds * 1000, step, shape.zone))) },
        { ...axis, gap: 6, space: 36, grid: { stroke: colors.hairline, width: 1 }, size: (_plot, labels) => axisWidth(labels), values: (_plot, at) => axisLabels(at, shape) },
      ],
      hooks: {
        drawAxes: [(plot) => this.#hatch(plot, colors)],
        setCursor: [(plot) => shape.onCursor(plot.cursor.idx ?? null)],
      },
    };
  }

  // Time without rows is hatched and named, so that it never looks like zero.
  #hatch(plot: uPlot, colors: Colors): void {
    const { ctx, bbox } = plot;
    for (const [from, to] of this.#gaps) {
      const left = Math.max(bbox.left, plot.valToPos(from / 1000, 'x', true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(to / 1000, 'x', true));
      if (right - left < 2) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      ctx.strokeStyle = colors.hairline;
      ctx.lineWidth = uPlot.pxRatio;
      const step = 6 * uPlot.pxRatio;
      ctx.beginPath();
      for (let x = left - bbox.height; x < right; x += step) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      if (right - left > 56 * uPlot.pxRatio) {
        ctx.font = `${12 * uPlot.pxRatio}px Inter, system-ui, sans-serif`;
        ctx.textAlign = 'center';
        ctx.lineWidth = 4 * uPlot.pxRatio;
        ctx.strokeStyle = colors.panel;
        ctx.fillStyle = colors.secondary;
        const y = bbox.top + 14 * uPlot.pxRatio;
        ctx.strokeText('no data', (left + right) / 2, y);
        ctx.fillText('no data', (left + right) / 2, y);
      }
      ctx.restore();
    }
  }

  get shape(): ChartShape {
    return this.#shape;
  }
}

function lonely(values: ArrayLike<number | null | undefined> | undefined): boolean {
  let seen = 0;
  for (let i = 0; i < (values?.length ?? 0) && seen < 2; i += 1) if (values?.[i] !== null && values?.[i] !== undefined) seen += 1;
  return seen === 1;
}

function yRange(shape: ChartShape, low: number | null, high: number | null): [number, number] {
  const least = shape.stacked ? Math.min(0, low ?? 0) : (low ?? 0);
  const most = high ?? 1;
  const [niceLow, niceHigh] = uPlot.rangeNum(least, most <= least ? least + 1 : most, { min: { pad: 0.1, soft: 0, mode: 1 }, max: { pad: 0.1, mode: 2 } });
  const min = shape.min === undefined ? (niceLow ?? 0) : Math.min(shape.min, low ?? shape.min);
  const max = shape.max === undefined ? (niceHigh ?? 1) : Math.max(shape.max, high ?? shape.max);
  return [min, max > min ? max : min + 1];
}

function timeLabel(ms: number, stepS: number, zone: string): string {
  if (stepS >= 86_400) return day(ms, zone).slice(5);
  return stepS >= 60 ? minute(ms, zone) : clock(ms, zone);
}

/** Half of a time's label: nearer to the right end it would be cut. */
const LABEL_HALF = 18;

function cut(plot: uPlot, seconds: number): boolean {
  return plot.valToPos(seconds, 'x') > plot.over.clientWidth - LABEL_HALF && plot.over.clientWidth > 0;
}

// One number of decimals for the whole axis: as few as keep its labels apart.
function axisLabels(values: number[], shape: ChartShape): string[] {
  if (isScaled(shape.unit)) return values.map((value) => (value === 0 ? '0' : measured(value, shape.unit).replace(/\.0 /, ' ')));
  const step = Math.abs((values[1] ?? 1) - (values[0] ?? 0)) || 1;
  const digits = step >= 1 ? 0 : Math.min(6, Math.ceil(-Math.log10(step) - 1e-9));
  return values.map((value) => measured(value, '', Math.abs(value) >= 1e6 ? undefined : digits));
}

function axisWidth(labels: string[] | null): number {
  const longest = Math.max(1, ...(labels ?? []).map((label) => label.length));
  return Math.ceil(longest * 7) + 10;
}
