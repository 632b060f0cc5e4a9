/**
 * Ranking by several objectives at once: fronts within fronts, and in each the lonelier first (Deb, Pratap, Agarwal and
 * Meyarivan 2002, NSGA-II, sections III.A and III.B). All objectives are to be small.
 */

import { paretoFront } from '../pareto.js'

/** The items from best to worst: those of the first front, then of the front without these, and so on. */
export function ranked<T>(items: readonly T[], objectives: (item: T) => readonly number[]): readonly T[] {
  const order: T[] = []
  let left = items
  while (left.length > 0) {
    const front = paretoFront(left, objectives)
    const crowding = crowdingOf(front.map(objectives))
    const places = front.map((item, i) => ({ item, distance: crowding[i]! }))
    order.push(...places.toSorted((a, b) => descending(a.distance, b.distance)).map(({ item }) => item))
    const taken = new Set(front)
    left = left.filter((item) => !taken.has(item))
  }
  return order
}

/** Two infinities are equal, not NaN apart. */
const descending = (a: number, b: number): number => (a === b ? 0 : b - a)

/** For each point the sum over objectives of the gap between its neighbours, as a share of the range; ends are infinite. */
export function crowdingOf(points: readonly (readonly number[])[]): readonly number[] {
  const distance = points.map(() => 0)
  const width = points[0]?.length ?? 0
  for (let k = 0; k < width; k++) {
    const order = points.map((_, i) => i).toSorted((a, b) => points[a]![k]! - points[b]![k]!)
    const at = (place: number): number => points[order[place]!]![k]!
    const span = at(order.length - 1) - at(0)
    distance[order[0]!] = Number.POSITIVE_INFINITY
    distance[order.at(-1)!] = Number.POSITIVE_INFINITY
    for (let i = 1; i < order.length - 1; i++) distance[order[i]!]! += span > 0 ? (at(i + 1) - at(i - 1)) / span : 0
  }
  return distance
}
