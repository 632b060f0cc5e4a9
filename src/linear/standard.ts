/** Moments to the standardized problem, and its coefficients back to the scale of the data. */

import type { Moments } from './moments.js'
import type { Quadratic } from './quadratic.js'

export interface ScaleOptions {
  readonly hasIntercept: boolean
  /** Columns are brought to standard deviation 1 (with 1/n), so that one λ means the same for all. */
  readonly isStandardized: boolean
}

export interface Standard {
  readonly problem: Quadratic
  /** What is taken off the columns and, last, off y: their means, or nothing without an intercept. */
  readonly offsets: Float64Array
  /** Of the columns; 1 for those without spread. */
  readonly scales: Float64Array
  /** Columns without spread: they explain nothing, and their coefficients stay 0. */
  readonly constant: readonly number[]
  /** Coefficients and intercept on the scale of the data. */
  unscaled(beta: Float64Array): { readonly coefficients: Float64Array; readonly intercept: number }
}

/** A spread that rounding alone may have left, relative to the mean. */
export const NO_SPREAD = 1e-12

export function standardized({ weight, means, scatter }: Moments, o: ScaleOptions): Standard {
  const m = means.length
  const p = m - 1
  const spread = Float64Array.from({ length: p }, (_, j) => Math.sqrt(scatter[j * m + j]! / weight))
  const isConstant = (j: number): boolean => spread[j]! <= NO_SPREAD * Math.abs(means[j]!)
  const constant = Array.from({ length: p }, (_, j) => j).filter(isConstant)
  const scales = spread.map((s, j) => (o.isStandardized && !isConstant(j) ? s : 1))
  const second = (j: number, k: number): number =>
    scatter[j * m + k]! / weight + (o.hasIntercept ? 0 : means[j]! * means[k]!)
  const gram = new Float64Array(p * p)
  const q = new Float64Array(p)
  const ignored = new Set(o.hasIntercept ? constant : constant.filter((j) => means[j] === 0))
  const isExplained = o.hasIntercept && Math.sqrt(scatter[m * m - 1]! / weight) <= NO_SPREAD * Math.abs(means[p]!)
  for (let j = 0; j < p; j++) {
    if (ignored.has(j)) continue
    if (!isExplained) q[j] = second(j, p) / scales[j]!
    for (let k = 0; k < p; k++) if (!ignored.has(k)) gram[j * p + k] = second(j, k) / (scales[j]! * scales[k]!)
  }
  return {
    // By the intercept alone.
    problem: { gram, q, yy: isExplained ? 0 : second(p, p) },
    offsets: o.hasIntercept ? means : new Float64Array(m),
    scales,
    constant: [...ignored],
    unscaled(beta) {
      const coefficients = beta.map((b, j) => b / scales[j]!)
      const intercept = o.hasIntercept ? coefficients.reduce((sum, b, j) => sum - b * means[j]!, means[p]!) : 0
      return { coefficients, intercept }
    },
  }
}
