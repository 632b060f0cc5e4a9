/**
 * The exact step on what is not zero: within its signs and bounds the penalised quadratic is smooth, and its minimum
 * follows from one Cholesky factor, where coordinate descent would creep along correlated columns (Lee, Battle, Raina and
 * Ng 2007, the feature-sign step).
 */

import type { Fit, Penalized, Quadratic } from '../quadratic.js'

/**
 * The minimum on the support, or as far towards it as signs and bounds allow; never worse than `start`.
 */
export function supportFit(problem: Quadratic, penalized: Penalized, start: Fit): Fit {
  let fit = start
  for (let step = 0; step < STEPS; step++) {
    const next = supportStep(problem, penalized, fit)
    if (next === null) return fit
    fit = next.fit
    if (!next.isBlocked) break
  }
  return fit
}

/** One such step; at the first sign or bound in the way it ends, and there its coordinate stays. */
function supportStep(
  { gram }: Quadratic,
  { l1, l2, lower, upper }: Penalized,
  fit: Fit,
): { readonly fit: Fit; readonly isBlocked: boolean } | null {
  const { beta, residual } = fit
  const m = beta.length
  const isFree = (a: number): boolean =>
    (beta[a] !== 0 || (l1[a] === 0 && gram[a * m + a]! > 0)) && beta[a]! > lower[a]! && beta[a]! < upper[a]!
  const support = [...beta.keys()].filter(isFree)
  const n = support.length
  if (n === 0 || n > LARGEST) return null
  const factor = new Float64Array(n * n)
  const step = new Float64Array(n)
  for (const [i, a] of support.entries()) {
    for (let k = 0; k <= i; k++) factor[i * n + k] = gram[a * m + support[k]!]!
    factor[i * n + i]! += l2[a]!
    step[i] = residual[a]! - l2[a]! * beta[a]! - l1[a]! * Math.sign(beta[a]!)
  }
  solveCholesky(factor, step)
  let [part, blocking, edge] = [1, -1, 0]
  for (const [i, a] of support.entries()) {
    // Where it is held, zero is an edge too.
    const low = l1[a]! > 0 && beta[a]! > 0 ? Math.max(0, lower[a]!) : lower[a]!
    const high = l1[a]! > 0 && beta[a]! < 0 ? Math.min(0, upper[a]!) : upper[a]!
    const at = beta[a]! + step[i]!
    const reached = at < low ? low : at > high ? high : null
    if (reached === null) continue
    const share = (reached - beta[a]!) / step[i]!
    if (share < part) [part, blocking, edge] = [share, a, reached]
  }
  const next = { beta: beta.slice(), residual: residual.slice(), passes: fit.passes + 1 }
  for (const [i, a] of support.entries()) {
    next.beta[a] = a === blocking ? edge : beta[a]! + part * step[i]!
    const change = next.beta[a]! - beta[a]!
    if (change === 0) continue
    for (let b = 0; b < m; b++) next.residual[b]! -= change * gram[a * m + b]!
  }
  return { fit: next, isBlocked: blocking >= 0 }
}

/** Each takes one coordinate out, but for the last. */
const STEPS = 10
/** Above this the factor costs more than the passes that it saves. */
const LARGEST = 500
/** Of the diagonal: a pivot below is rounding. */
const SINGULAR = 1e-13

/**
 * Solves A x = b in place, A positive semidefinite and given by its lower triangle (Golub and Van Loan 2013, §4.2). What
 * depends on those before it stays where it is.
 */
function solveCholesky(a: Float64Array, b: Float64Array): void {
  const n = b.length
  for (let i = 0; i < n; i++) {
    const own = a[i * n + i]!
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!
      if (j < i) a[i * n + j] = sum / a[j * n + j]!
      // An infinite pivot makes the step, and all that it would take part in, zero.
      else a[i * n + i] = sum > SINGULAR * own ? Math.sqrt(sum) : Number.POSITIVE_INFINITY
    }
  }
  for (let i = 0; i < n; i++) {
    let sum = b[i]!
    for (let k = 0; k < i; k++) sum -= a[i * n + k]! * b[k]!
    b[i] = sum / a[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i]!
    for (let k = i + 1; k < n; k++) sum -= a[k * n + i]! * b[k]!
    b[i] = sum / a[i * n + i]!
  }
}
