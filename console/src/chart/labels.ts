//! Places for labels beside a chart: as near as possible to what they name, never over each other.

export function place(wanted: number[], height: number, top: number, bottom: number): number[] {
  const order = wanted.map((at, i) => ({ at, i })).sort((a, b) => a.at - b.at);
  const placed = order.map(({ at }) => at);
  const least = top + height / 2;
  const most = bottom - height / 2;
  for (let i = 0; i < placed.length; i += 1) {
    const floor = i === 0 ? least : (placed[i - 1] ?? least) + height;
    placed[i] = Math.max(placed[i] ?? least, floor);
  }
  for (let i = placed.length - 1; i >= 0; i -= 1) {
    const ceiling = i === placed.length - 1 ? most : (placed[i + 1] ?? most) - height;
    placed[i] = Math.min(placed[i] ?? most, ceiling);
  }
  const result = new Array<number>(wanted.length).fill(0);
  order.forEach(({ i }, at) => {
    result[i] = placed[at] ?? least;
  });
  return result;
}
