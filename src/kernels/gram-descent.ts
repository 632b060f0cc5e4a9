/**
 * Coordinate descent on a quadratic that is given by its Gram matrix:
 * ½βᵀGβ − qᵀβ + Σ aⱼ|βⱼ| + ½ Σ bⱼβⱼ² with lower ≤ β ≤ upper (Friedman, Hastie and Tibshirani 2010, eq. 5).
 *
 * The plain form of the loops. assembly/gram.ts has the same with 128-bit vectors: no sum changes its order, so both give
 * the same bits.
 */

export interface GramTerms {
  /** Of its coordinates; arrays may be longer. */
  readonly n: number
  /** [n, stride], symmetric in the first n columns. */
  readonly gram: Float64Array
  readonly stride: number
  /** aⱼ and bⱼ. */
  readonly l1: Float64Array
  readonly l2: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
}

/** What passes change, in place. */
export interface GramState {
  readonly beta: Float64Array
  /** q − Gβ, and stays so. */
  readonly residual: Float64Array
  /** β after each pass: [passes, stride]. */
  readonly history: Float64Array
}

export interface Descent {
  readonly passes: number
  /** Of the last pass. */
  readonly largest: number
}

/** Passes over all coordinates, until the largest change of one is not above `tolerance`, or `most` are done. */
export function descend(terms: GramTerms, state: GramState, most: number, tolerance: number): Descent {
  for (let passes = 1; ; passes++) {
    const largest = gramPass(terms, state.beta, state.residual)
    state.history.set(state.beta.subarray(0, terms.n), (passes - 1) * terms.stride)
    if (largest <= tolerance || passes >= most) return { passes, largest }
  }
}

/** One pass. Returns the largest change, as max δⱼ²(Gⱼⱼ + bⱼ). A coordinate without curvature stays where it is. */
function gramPass(
  { n, gram, stride, l1, l2, lower, upper }: GramTerms,
  beta: Float64Array,
  residual: Float64Array,
): number {
  let largest = 0
  for (let j = 0; j < n; j++) {
    const row = j * stride
    const own = gram[row + j]!
    const curvature = own + l2[j]!
    if (curvature <= 0) continue
    const before = beta[j]!
    const pull = residual[j]! + own * before
    const threshold = l1[j]!
    const free = pull > threshold ? pull - threshold : pull < -threshold ? pull + threshold : 0
    const after = Math.min(Math.max(free / curvature, lower[j]!), upper[j]!)
    const change = after - before
    if (change === 0) continue
    beta[j] = after
    for (let k = 0; k < n; k++) residual[k]! -= change * gram[row + k]!
    const size = change * change * curvature
    if (size > largest) largest = size
  }
  return largest
}

export interface Rows {
  readonly count: number
  readonly length: number
  /** [count, stride] */
  readonly data: Float64Array
  readonly stride: number
}

/** target −= Σ cₖ rowₖ, in the order of the rows. */
export function subtractRows(
  { count, length, data, stride }: Rows,
  coefficients: Float64Array,
  target: Float64Array,
): void {
  for (let k = 0; k < count; k++) {
    const c = coefficients[k]!
    if (c === 0) continue
    const row = k * stride
    for (let i = 0; i < length; i++) target[i]! -= c * data[row + i]!
  }
}
