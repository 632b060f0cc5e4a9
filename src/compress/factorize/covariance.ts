/** What covariances of few samples, summed in float32, can tell. */

/** Sums of squares are made in float32: a variance that is no larger a share of them may be rounding. */
const LEAST_VARIANCE = 1e-5

/** Whether so many columns, of so large squares, vary by more than rounding. */
export const variesEnough = (count: number, variance: number, squares: number): boolean =>
  count >= 2 && variance > LEAST_VARIANCE * squares

/** E[x xᵀ] = C + μ μᵀ */
export function secondMoments(covariance: Float64Array, mean: Float64Array): Float64Array {
  const size = mean.length
  return covariance.map((v, at) => v + mean[Math.floor(at / size)]! * mean[at % size]!)
}

/** Of a square matrix. */
export function traceOf(a: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += a[i * (n + 1)]!
  return sum
}

/**
 * (1 − ρ) S + ρ tr(S)/p I: of few samples directions that none of them had would count for nothing, and the weights there
 * be lost. ρ by the oracle approximating shrinkage (Chen, Wiesel, Eldar and Hero 2010, eq. 23), which S and n decide alone.
 */
export function shrunk(s: Float64Array, p: number, n: number): Float64Array {
  const trace = traceOf(s, p)
  let squares = 0
  for (const v of s) squares += v * v
  const below = (n + 1 - 2 / p) * (squares - trace ** 2 / p)
  const rho = below > 0 ? Math.min(1, ((1 - 2 / p) * squares + trace ** 2) / below) : 1
  return s.map((v, at) => (1 - rho) * v + (at % (p + 1) === 0 ? (rho * trace) / p : 0))
}
