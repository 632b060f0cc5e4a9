/** Metrics of values on the targets' scale. */

import type { TrainMetric } from './metric.js'

interface Sum {
  sum: number
  count: number
}

/** A mean over all elements of what is counted of a residual. */
const meanOf = (
  name: string,
  each: (residual: number) => number,
  end: (mean: number) => number = (mean) => mean,
): TrainMetric =>
  ({
    name,
    of: 'values',
    moreIsBetter: false,
    start: () => ({ sum: 0, count: 0 }),
    add(state, { outputs, targets }) {
      for (let i = 0; i < targets.length; i++) state.sum += each(outputs[i]! - targets[i]!)
      state.count += targets.length
    },
    value: ({ sum, count }) => end(sum / count),
  }) satisfies TrainMetric<Sum>

/** mean |output − target| over all elements */
export const mae = (): TrainMetric => meanOf('mae', Math.abs)

/** √ mean (output − target)² over all elements */
export const rmse = (): TrainMetric => meanOf('rmse', (r) => r * r, Math.sqrt)

/** By column of the output. */
interface Columns {
  count: number
  /** Σ (output − target)² */
  readonly errors: Float64Array
  readonly mean: Float64Array
  /** Σ (target − mean)² */
  readonly squares: Float64Array
}

/**
 * R² = 1 − Σ (output − target)² / Σ (target − mean)², the mean over the columns of the output, as scikit-learn's
 * `r2_score`: of a column that never changes 1 where it is met exactly and else 0, and NaN of fewer than two samples.
 */
export const r2 = (): TrainMetric =>
  ({
    name: 'r2',
    of: 'values',
    moreIsBetter: true,
    start: (width) => ({
      count: 0,
      errors: new Float64Array(width),
      mean: new Float64Array(width),
      squares: new Float64Array(width),
    }),
    add(state, { outputs, targets, width }) {
      const { errors, mean, squares } = state
      for (let i = 0; i < targets.length; i++) {
        const at = i % width
        if (at === 0) state.count++
        errors[at]! += (outputs[i]! - targets[i]!) ** 2
        // In one pass, which no large mean spoils (Welford 1962).
        const off = targets[i]! - mean[at]!
        mean[at]! += off / state.count
        squares[at]! += off * (targets[i]! - mean[at]!)
      }
    },
    value({ count, errors, squares }) {
      if (count < 2) return Number.NaN
      const each = errors.map((e, i) => (squares[i] === 0 ? Number(e === 0) : 1 - e / squares[i]!))
      return each.reduce((sum, v) => sum + v, 0) / each.length
    },
  }) satisfies TrainMetric<Columns>
