/**
 * Coordinate descent on a quadratic that is given by its Gram matrix:
 * ½βᵀGβ − qᵀβ + Σ aⱼ|βⱼ| + ½ Σ bⱼβⱼ² with lower ≤ β ≤ upper (Friedman, Hastie and Tibshirani 2010, eq. 5).
 */

export interface GramTerms {
  /** [n, n], symmetric. */
  readonly gram: Float64Array
  /** aⱼ and bⱼ. */
  readonly l1: Float64Array
  readonly l2: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
}

/**
 * One pass over all coordinates, in place; `residual` is q − Gβ and stays so. Returns the largest change, as
 * max δⱼ²(Gⱼⱼ + bⱼ). A coordinate without curvature stays where it is.
 */
export function gramPass(
  { gram, l1, l2, lower, upper }: GramTerms,
  beta: Float64Array,
  residual: Float64Array,
): number {
  const n = beta.length
  let largest = 0
  for (let j = 0; j < n; j++) {
    const row = j * n
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
