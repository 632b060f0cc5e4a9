/**
 * How good a front is in one number: the volume that its points dominate below a reference point (Zitzler and Thiele
 * 1998, "the size of the space covered"). All objectives are to be small. Exact for three of them, by slices.
 */

type Point = readonly [number, number, number]

/** Points beyond the reference in any objective count for nothing. */
export function hypervolume(points: readonly Point[], reference: Point): number {
  const inside = points.filter((p) => p.every((v, i) => v < reference[i]!)).toSorted((a, b) => a[2] - b[2])
  let volume = 0
  for (const [i, point] of inside.entries()) {
    const top = inside[i + 1]?.[2] ?? reference[2]
    if (top > point[2]) volume += (top - point[2]) * area(inside.slice(0, i + 1), reference)
  }
  return volume
}

/** Of the union of rectangles from each point to the reference, in the first two objectives. */
function area(points: readonly Point[], [right, top]: Point): number {
  let sum = 0
  let low = top
  for (const [x, y] of points.toSorted((a, b) => a[0] - b[0])) {
    if (y >= low) continue
    sum += (right - x) * (low - y)
    low = y
  }
  return sum
}
