//! What the page has seen of a figure since it was opened: one value a second, for small lines and ranges.

const LENGTH = 900;
const SPARK = 90;

export class History {
  #version = $state(0);
  #series = new Map<string, number[]>();
  #sampledAt = -Infinity;
  /** Server time of the first sample. */
  since = $state<number | null>(null);

  /** Keeps at most one sample a second; a series that is not named in one is forgotten. */
  sample(atMs: number, figures: Iterable<readonly [string, number]>): void {
    if (atMs - this.#sampledAt < 950) return;
    this.#sampledAt = atMs;
    this.since ??= atMs;
    const named = new Set<string>();
    for (const [key, value] of figures) {
      named.add(key);
      const series = this.#series.get(key) ?? [];
      series.push(value);
      if (series.length > LENGTH) series.splice(0, series.length - LENGTH);
      this.#series.set(key, series);
    }
    for (const key of this.#series.keys()) if (!named.has(key)) this.#series.delete(key);
    this.#version += 1;
  }

  /** The last minute and a half. */
  recent(key: string): number[] {
    void this.#version;
    return this.#series.get(key)?.slice(-SPARK) ?? [];
  }

  range(key: string): [number, number] | null {
    void this.#version;
    const series = this.#series.get(key);
    if (!series || series.length === 0) return null;
    return [Math.min(...series), Math.max(...series)];
  }
}
