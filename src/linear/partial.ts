/**
 * Columns that no penalty holds, taken out of the problem (Frisch and Waugh 1933): what is left of the other columns and
 * of y once these are regressed out is a problem of the penalized ones alone, as centring does for the intercept.
 */

import { correlationsAt, type Quadratic } from './quadratic.js'
import { type Factors, factorize, solve } from './solvers/direct.js'

export interface Partial {
  /** Of the same columns; those taken out are 0. */
  readonly problem: Quadratic
  /** The least pivot of the columns taken out, as a part of its diagonal: rounding counts so many times more. */
  readonly pivot: number
  /** With the coefficients of those taken out, of which `beta` has 0, for the linear term `q` (default: of the problem). */
  complete(beta: Float64Array, q?: Float64Array): Float64Array
  /** With 0 for those taken out. */
  withoutFree(beta: Float64Array): Float64Array
  /** Correlations of all columns to those of what is left of them. */
  leftOf(correlations: Float64Array): Float64Array
  /**
   * ½ rᵀG⁻¹r of the correlations r of those taken out: what the objective loses as they are not at their best; and what
   * errors of them may hide.
   */
  lossOf(correlations: Float64Array, errors?: Float64Array): number
}

/** What rounding alone may leave of a column or of y, relative to what it was. */
const NOTHING = 1e-12

export function partialOut(problem: Quadratic, free: readonly number[]): Partial {
  if (free.length === 0)
    return {
      problem,
      pivot: 1,
      complete: (beta) => beta,
      withoutFree: (beta) => beta,
      leftOf: (correlations) => correlations,
      lossOf: () => 0,
    }
  const { gram, q } = problem
  const p = q.length
  const factors = factorize({ gram, stride: p }, new Float64Array(p), free)
  const stepAt = (correlations: Float64Array): Float64Array =>
    solve(
      factors,
      Float64Array.from(free, (j) => correlations[j]!),
    )
  /** Regression on the free columns; again for what rounding left. */
  const complete = (beta: Float64Array, linear = q): Float64Array => {
    const full = beta.slice()
    for (let round = 0; round < 3; round++) {
      const step = stepAt(correlationsAt({ gram, q: linear }, full))
      for (const [k, j] of free.entries()) full[j]! += step[k]!
    }
    return full
  }
  const { left, gone } = leftGram(gram, free, stepAt, p)
  const leftOf = (correlations: Float64Array): Float64Array => {
    const step = stepAt(correlations)
    const rest = correlations.map((v, j) => (gone[j] ? 0 : v))
    for (const [k, z] of free.entries())
      for (let j = 0; j < p; j++) if (gone[j] === 0) rest[j]! -= step[k]! * gram[z * p + j]!
    return rest
  }
  const pivot = leastPivot(factors, gram, free)
  const alone = complete(new Float64Array(p))
  const residual = correlationsAt(problem, alone)
  const yy = problem.yy - alone.reduce((sum, b, j) => sum + b * (q[j]! + residual[j]!), 0)
  const isExplained = yy <= NOTHING * problem.yy
  return {
    problem: {
      gram: left,
      q: residual.map((v, j) => (gone[j] || isExplained ? 0 : v)),
      yy: isExplained ? 0 : yy,
    },
    pivot,
    complete,
    withoutFree(beta) {
      const rest = beta.slice()
      for (const j of free) rest[j] = 0
      return rest
    },
    leftOf,
    lossOf(correlations, errors) {
      const loss = stepAt(correlations).reduce((sum, step, k) => sum + 0.5 * step * correlations[free[k]!]!, 0)
      if (errors === undefined) return loss
      return free.reduce((sum, j) => sum + (0.5 * errors[j]! ** 2) / (pivot * gram[j * p + j]!), loss)
    },
  }
}

/** What is left of the Gram matrix, and columns of which nothing is, since those taken out explain them. */
function leftGram(
  gram: Float64Array,
  free: readonly number[],
  stepAt: (correlations: Float64Array) => Float64Array,
  p: number,
): { readonly left: Float64Array; readonly gone: Uint8Array } {
  const left = gram.slice()
  for (let j = 0; j < p; j++) {
    const row = left.subarray(j * p, j * p + p)
    const weights = stepAt(gram.subarray(j * p, j * p + p))
    for (const [k, z] of free.entries()) for (let i = 0; i < p; i++) row[i]! -= weights[k]! * gram[z * p + i]!
  }
  const gone = Uint8Array.from({ length: p }, (_, j) => Number(left[j * p + j]! <= NOTHING * gram[j * p + j]!))
  for (const j of free) gone[j] = 1
  for (let j = 0; j < p; j++) for (let k = 0; k < p; k++) if (gone[j] || gone[k]) left[j * p + k] = 0
  return { left, gone }
}

/** 0 where a column seems to depend on earlier ones: moments alone cannot tell. */
function leastPivot({ inverse }: Factors, gram: Float64Array, free: readonly number[]): number {
  const p = Math.sqrt(gram.length)
  let least = 1
  for (const [k, j] of free.entries())
    least = Math.min(least, inverse[k]! > 0 ? 1 / (inverse[k]! * gram[j * p + j]!) : 0)
  return least
}
