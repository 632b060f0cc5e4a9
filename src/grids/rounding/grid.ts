/**
 * Where the weights of a layer may lie: integer multiples of steps. Rounding chooses the integers: for each weight alone
 * (nearest), or for what they do together (GPTQ, AdaRound).
 */

import { clamp, roundEven } from '../affine.js'

/** Of weights [rows, depth]: each output's lie together. */
export interface WeightGrid {
  readonly rows: number
  readonly depth: number
  /** [rows, depth]; a weight whose step is 0 becomes 0. Steps may be negative. */
  readonly steps: Float32Array
  /** The least and the greatest integer of each row. */
  readonly low: Int8Array
  readonly high: Int8Array
}

/** The integer on the grid of one weight that is nearest to a value. */
export function nearest({ steps, low, high, depth }: WeightGrid, row: number, column: number, value: number): number {
  const step = steps[row * depth + column]!
  return step === 0 ? 0 : clamp(roundEven(value / step), low[row]!, high[row]!)
}

/** Integers [rows, depth], each the nearest to its weight. */
export function roundNearest(weights: Float32Array, grid: WeightGrid): Int8Array {
  const out = new Int8Array(weights.length)
  for (let r = 0, i = 0; r < grid.rows; r++)
    for (let j = 0; j < grid.depth; j++, i++) out[i] = nearest(grid, r, j, weights[i]!)
  return out
}

/** Integers · steps − weights. */
export function roundingErrors(integers: Int8Array, weights: Float32Array, { steps }: WeightGrid): Float64Array {
  return Float64Array.from(weights, (w, i) => integers[i]! * steps[i]! - w)
}
