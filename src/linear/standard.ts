/** Moments to the standardized problem, and its coefficients back to the scale of the data. */

import type { Moments } from './moments.js'
import type { Quadratic } from './quadratic.js'

export interface ScaleOptions {
  readonly hasIntercept: boolean
  /** Columns are brought to standard deviation 1 (with 1/n), so that one λ means the same for all. */
  readonly isStandardized: boolean
}

/** How columns are brought to one scale, and their coefficients back to that of the data. */
export interface Scaling {
  /** What is taken off the columns and, last, off y: their means, or nothing without an intercept. */
  readonly offsets: Float64Array
  /** Of the columns; 1 for those without spread. */
  readonly scales: Float64Array
  /** Columns without spread: they explain nothing, and their coefficients stay 0. */
  readonly constant: readonly number[]
  /** Coefficients and intercept on the scale of the data. */
  unscaled(beta: Float64Array): { readonly coefficients: Float64Array; readonly intercept: number }
}

export interface Standard extends Scaling {
  readonly problem: Quadratic
}

/** A spread that rounding alone may have left, relative to the mean. */
const NO_SPREAD = 1e-12

export const isConstant = (spread: number, mean: number): boolean => spread <= NO_SPREAD * Math.abs(mean)

/** Of columns with these means, y's last, and standard deviations. */
export function scalingOf(means: Float64Array, spread: Float64Array, o: ScaleOptions): Scaling {
  const p = spread.length
  const isOut = (j: number): boolean => isConstant(spread[j]!, means[j]!)
  const constant = Array.from({ length: p }, (_, j) => j).filter(isOut)
  const scales = spread.map((s, j) => (o.isStandardized && !isOut(j) ? s : 1))
  return {
    offsets: o.hasIntercept ? means : new Float64Array(p + 1),
    scales,
    constant: o.hasIntercept ? constant : constant.filter((j) => means[j] === 0),
    unscaled(beta) {
      const coefficients = new Float64Array(p)
      let intercept = o.hasIntercept ? means[p]! : 0
      // A plain loop, as it is over all columns for each λ.
      for (let j = 0; j < p; j++) {
        if (beta[j] === 0) continue
        coefficients[j] = beta[j]! / scales[j]!
        if (o.hasIntercept) intercept -= coefficients[j]! * means[j]!
      }
      return { coefficients, intercept }
    },
  }
}

/** `room`: what the Gram matrix is written into. */
export function standardized(
  { weight, means, scatter }: Moments,
  o: ScaleOptions,
  room: (length: number) => Float64Array = (length) => new Float64Array(length),
): Standard {
  const m = means.length
  const p = m - 1
  const spread = Float64Array.from({ length: p }, (_, j) => Math.sqrt(scatter[j * m + j]! / weight))
  const scaling = scalingOf(means, spread, o)
  const { scales } = scaling
  const raw = o.hasIntercept ? new Float64Array(m) : means
  const second = (j: number, k: number): number => scatter[j * m + k]! / weight + raw[j]! * raw[k]!
  const gram = room(p * p)
  const q = new Float64Array(p)
  const factors = scales.map((s) => 1 / s)
  for (const j of scaling.constant) factors[j] = 0
  const isExplained = o.hasIntercept && isConstant(Math.sqrt(scatter[m * m - 1]! / weight), means[p]!)
  for (let j = 0; j < p; j++) {
    if (!isExplained) q[j] = second(j, p) * factors[j]!
    const [row, own, factor] = [j * m, raw[j]!, factors[j]!]
    for (let k = 0; k < p; k++) gram[j * p + k] = (scatter[row + k]! / weight + own * raw[k]!) * factor * factors[k]!
  }
  // By the intercept alone.
  return { ...scaling, problem: { gram, q, yy: isExplained ? 0 : second(p, p) } }
}
