/** Pareto fronts: the points that no other point beats in everything. All objectives are to be small. */

/** True where a is no worse than b in every objective and better in one. */
function dominates(a: readonly number[], b: readonly number[]): boolean {
  return a.every((v, i) => v <= b[i]!) && a.some((v, i) => v < b[i]!)
}

/** The items whose objectives no other item's dominate, in the given order. */
export function paretoFront<T>(items: readonly T[], objectives: (item: T) => readonly number[]): readonly T[] {
  const points = items.map(objectives)
  return items.filter((_, i) => !points.some((p) => dominates(p, points[i]!)))
}
