/**
 * Columns that no penalty holds, taken out of the problem (Frisch and Waugh 1933): what is left of the other columns and
 * of y once these are regressed out is a problem of the penalized ones alone, as centring does for the intercept.
 */

import { correlationsAt, type Quadratic } from './quadratic.js'
import { factorize, solve } from './solvers/direct.js'

export interface Partial {
  /** Of the same columns; those taken out are 0. */
  readonly problem: Quadratic
  /** With the coefficients of those taken out, of which `beta` has 0. */
  complete(beta: Float64Array): Float64Array
}

/** What rounding alone may leave of a column or of y, relative to what it was. */
const NOTHING = 1e-12

export function partialOut(problem: Quadratic, free: readonly number[]): Partial {
  if (free.length === 0) return { problem, complete: (beta) => beta }
  const { gram, q } = problem
  const p = q.length
  const factors = factorize({ gram, stride: p }, new Float64Array(p), free)
  const pick = (values: Float64Array): Float64Array => Float64Array.from(free, (j) => values[j]!)
  /** Regression on the free columns; again for what rounding left. */
  const complete = (beta: Float64Array): Float64Array => {
    const full = beta.slice()
    for (let round = 0; round < 3; round++) {
      const step = solve(factors, pick(correlationsAt(problem, full)))
      for (const [k, j] of free.entries()) full[j]! += step[k]!
    }
    return full
  }
  const left = gram.slice()
  const isFree = new Uint8Array(p)
  for (const j of free) isFree[j] = 1
  for (let j = 0; j < p; j++) {
    const row = left.subarray(j * p, j * p + p)
    const weights = solve(factors, pick(gram.subarray(j * p, j * p + p)))
    for (const [k, z] of free.entries()) for (let i = 0; i < p; i++) row[i]! -= weights[k]! * gram[z * p + i]!
  }
  // Columns that those taken out explain have nothing left to say.
  const isGone = (j: number): boolean => isFree[j] === 1 || left[j * p + j]! <= NOTHING * gram[j * p + j]!
  const gone = Uint8Array.from({ length: p }, (_, j) => Number(isGone(j)))
  for (let j = 0; j < p; j++) for (let k = 0; k < p; k++) if (gone[j] || gone[k]) left[j * p + k] = 0
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
    complete,
  }
}
