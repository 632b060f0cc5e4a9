/** What leaving each row out says of each strength. */

import type { LeftOut } from './ridge-pass.js'

export interface LeaveOneOut {
  /**
   * Mean squared error of the rows by fits without them, which keep λ times the number of all rows and the scaling by all
   * rows; Infinity where some row alone determines what is fitted to it.
   */
  readonly error: readonly number[]
  /** Its standard error, √(Σ ω(errorᵢ − error)² / (n − 1)). */
  readonly standardError: readonly number[]
  /** Generalized cross-validation: mean squared residual / (1 − trace / n)² (Craven and Wahba 1979). */
  readonly gcv: readonly number[]
  /** Index of the least error, and of the largest λ whose error is within one standard error of it. */
  readonly least: number
  readonly oneStandardError: number
}

export interface Fitted {
  /** Rows that count. */
  readonly count: number
  /** Σ ω (y − ŷ)², by strength. */
  readonly squares: Float64Array
  /** Of the hat matrix, with the intercept. */
  readonly traces: readonly number[]
}

export function leaveOneOutOf({ errors, squaredErrors }: LeftOut, { count, squares, traces }: Fitted): LeaveOneOut {
  const error = [...errors]
  const standardError = error.map((e, l) => Math.sqrt(Math.max(0, squaredErrors[l]! - e * e) / (count - 1)))
  const least = error.indexOf(Math.min(...error))
  const limit = error[least]! + standardError[least]!
  return {
    error,
    standardError,
    gcv: traces.map((t, l) => squares[l]! / (1 - t / count) ** 2),
    least,
    oneStandardError: error.findIndex((e, l) => e <= limit || l === least),
  }
}
