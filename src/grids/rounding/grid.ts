/**
 * Where the weights of a layer may lie: integer multiples of steps, from a zero point on. Rounding chooses the integers: for each weight alone
 * (nearest), or for what they do together (GPTQ, AdaRound).
 */

import { clamp, roundEven } from '../affine.js'

/** Of weights [rows, depth]: each output's lie together. */
export interface WeightGrid {
  readonly rows: number
  readonly depth: number
  /** [rows, depth]; a weight whose step is 0 becomes 0. Steps may be negative. */
  readonly steps: Float32Array
  /** [rows, depth]: the integer that stands for 0. Default 0. */
  readonly zeros?: Float32Array
  /** The least and the greatest integer of each row. */
  readonly low: Int8Array
  readonly high: Int8Array
}

/** The integer on the grid of one weight that is nearest to a value. */
export function nearest(grid: WeightGrid, row: number, column: number, value: number): number {
  const at = row * grid.depth + column
  const step = grid.steps[at]!
  return step === 0 ? 0 : clamp(roundEven(value / step + zeroOf(grid, at)), grid.low[row]!, grid.high[row]!)
}

const zeroOf = ({ zeros }: WeightGrid, at: number): number => zeros?.[at] ?? 0

/** The weight that an integer stands for. */
export const weightOf = (grid: WeightGrid, at: number, integer: number): number =>
  (integer - zeroOf(grid, at)) * grid.steps[at]!

/** Integers [rows, depth], each the nearest to its weight. */
export function roundNearest(weights: Float32Array, grid: WeightGrid): Int8Array {
  const out = new Int8Array(weights.length)
  for (let r = 0, i = 0; r < grid.rows; r++)
    for (let j = 0; j < grid.depth; j++, i++) out[i] = nearest(grid, r, j, weights[i]!)
  return out
}

/** What rounding adds to each weight. */
export function roundingErrors(integers: Int8Array, weights: Float32Array, grid: WeightGrid): Float64Array {
  return Float64Array.from(weights, (w, i) => weightOf(grid, i, integers[i]!) - w)
}
