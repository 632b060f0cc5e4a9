/**
 * Distances to neighbours, and how many lie within a distance: what estimators of mutual information ask for (Kraskov,
 * Stögbauer and Grassberger 2004; Ross 2014).
 *
 * The plain form of the loops. assembly/neighbours.ts has the same compiled: the same operations in the same order, so
 * both give the same bits.
 */

/** Rows by their values, the least first; equal ones in their order. No value is NaN or −0. */
export function sortOrder(values: Float64Array): Int32Array {
  return Int32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b)
}

/**
 * Σ ψ(number of j with |xⱼ − xᵢ| < rᵢ, i among them). `sorted` are the xᵢ, the least first, `radii` the rᵢ in that order;
 * `digamma` holds ψ(1), ψ(2), … from its second place on. Differences are rounded as those that the radii came of.
 */
export function digammaWithin(sorted: Float64Array, radii: Float64Array, digamma: Float64Array): number {
  const n = sorted.length
  let sum = 0
  // About as far as from the row before.
  let [up, down] = [1, 1]
  for (let i = 0; i < n; i++) {
    const x = sorted[i]!
    const radius = radii[i]!
    // By steps that double, then by halves.
    let high = i
    let step = up
    while (high + step < n && sorted[high + step]! - x < radius) {
      high += step
      step *= 2
    }
    for (step >>= 1; step > 0; step >>= 1) if (high + step < n && sorted[high + step]! - x < radius) high += step
    let low = i
    step = down
    while (low - step >= 0 && x - sorted[low - step]! < radius) {
      low -= step
      step *= 2
    }
    down = Math.max(1, step >> 1)
    for (step >>= 1; step > 0; step >>= 1) if (low - step >= 0 && x - sorted[low - step]! < radius) low -= step
    sum += digamma[high - low + 1]!
  }
  return sum
}

export interface ClassMembers {
  /** Places in the sorted values, class by class, growing within each. */
  readonly members: Int32Array
  /** Where each class begins, and last where all end: [classes + 1]. None is empty. */
  readonly starts: Int32Array
}

/** By place: distance to the k-th nearest of the same class, or the farthest where it has fewer others. */
export function nearestOfClass(
  sorted: Float64Array,
  { members, starts }: ClassMembers,
  k: number,
  radii: Float64Array,
): void {
  for (let c = 0; c + 1 < starts.length; c++) {
    const from = starts[c]!
    const last = starts[c + 1]! - 1
    const most = Math.min(k, last - from)
    let low = from
    for (let m = from; m <= last; m++) {
      const x = sorted[members[m]!]!
      low = Math.max(low, m - most)
      // Of the windows of k neighbours the one whose farther end is nearest.
      while (low < m && low + most < last && x - sorted[members[low]!]! > sorted[members[low + most + 1]!]! - x) low++
      radii[members[m]!] = Math.max(x - sorted[members[low]!]!, sorted[members[low + most]!]! - x)
    }
  }
}

/** Points of the plane in strips of `size` points, the last of fewer: strips grow by u, points in a strip by v. */
export interface Strips {
  readonly size: number
  readonly u: Float64Array
  readonly v: Float64Array
  /** Least and largest u of each strip. */
  readonly lows: Float64Array
  readonly highs: Float64Array
}

/**
 * By place: distance max(|Δu|, |Δv|) to the k-th nearest other point. In each strip points are met from the nearest v on,
 * up and down, until that alone is too far; strips from the own one on, until they are.
 */
export function nearestJoint({ size, u, v, lows, highs }: Strips, k: number, radii: Float64Array): void {
  const n = u.length
  const best = new Float64Array(k)
  for (let i = 0; i < n; i++) {
    const own = Math.floor(i / size)
    const [a, b] = [u[i]!, v[i]!]
    best.fill(Number.POSITIVE_INFINITY)
    let radius = Number.POSITIVE_INFINITY
    const meet = (from: number, to: number, middle: number): void => {
      for (let j = middle; j < to && v[j]! - b < radius; j++)
        if (j !== i) radius = nearer(best, Math.max(Math.abs(u[j]! - a), v[j]! - b))
      for (let j = middle - 1; j >= from && b - v[j]! < radius; j--)
        radius = nearer(best, Math.max(Math.abs(u[j]! - a), b - v[j]!))
    }
    const visit = (strip: number): void => {
      const [from, to] = [strip * size, Math.min(n, (strip + 1) * size)]
      meet(from, to, strip === own ? i : firstNotBelow(v, from, to, b))
    }
    visit(own)
    for (let strip = own + 1; strip < lows.length && lows[strip]! - a < radius; strip++) visit(strip)
    for (let strip = own - 1; strip >= 0 && a - highs[strip]! < radius; strip--) visit(strip)
    radii[i] = radius
  }
}

/** Of the k least distances, in order, the last one, with a new one among them. */
function nearer(best: Float64Array, distance: number): number {
  const k = best.length
  if (distance >= best[k - 1]!) return best[k - 1]!
  let slot = k - 1
  for (; slot > 0 && best[slot - 1]! > distance; slot--) best[slot] = best[slot - 1]!
  best[slot] = distance
  return best[k - 1]!
}

function firstNotBelow(v: Float64Array, from: number, to: number, bound: number): number {
  let [low, high] = [from, to]
  while (low < high) {
    const middle = (low + high) >> 1
    if (v[middle]! < bound) low = middle + 1
    else high = middle
  }
  return low
}
