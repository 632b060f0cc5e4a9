/** Fewer points for the same line: Ramer 1972, Douglas and Peucker 1973. */

type Pixels = readonly [number, number]

/** Keeps both ends, and what lies further than `tolerance` from the line without it, measured along y. */
export function thinned(points: readonly Pixels[], tolerance: number): readonly Pixels[] {
  const kept = new Set([0, points.length - 1])
  const open: (readonly [number, number])[] = [[0, points.length - 1]]
  for (let span = open.pop(); span; span = open.pop()) {
    const [from, to] = span
    const [[x0, y0], [x1, y1]] = [points[from]!, points[to]!]
    let [worst, at] = [tolerance, -1]
    for (let i = from + 1; i < to; i++) {
      const [x, y] = points[i]!
      const share = x1 === x0 ? 0 : (x - x0) / (x1 - x0)
      const distance = Math.abs(y - (y0 + share * (y1 - y0)))
      if (distance > worst) [worst, at] = [distance, i]
    }
    if (at < 0) continue
    kept.add(at)
    open.push([from, at], [at, to])
  }
  return points.filter((_, i) => kept.has(i))
}
