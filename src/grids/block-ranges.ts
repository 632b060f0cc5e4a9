/**
 * Ranges of blocks: from the weights that share a scale to the grid that they share. Symmetric grids have the signed
 * scale of MatMulNBits, peak / −2^(bits−1), so that the weight of largest magnitude can be met exactly.
 */

import { floatToHalf, halfToFloat } from '../ir/tensor.js'
import { type BlockGrid, type BlockShape, hqqGrid, levelOf } from './hqq.js'

export const BLOCK_RANGES = ['absmax', 'mse', 'hqq'] as const
/**
 * - `absmax`: the grid reaches to the largest magnitude (with zero points: from the least to the greatest value).
 * - `mse`: clipped where that lowers the mean squared error.
 * - `hqq`: half-quadratic quantization, which minimizes an ℓₚ norm of the errors with p < 1.
 */
export type BlockRange = (typeof BLOCK_RANGES)[number]

/** The grid of one block. */
export function blockGrid(block: ArrayLike<number>, range: BlockRange, shape: BlockShape): BlockGrid {
  const [low, high] = ends(block)
  const whole = gridTo(low, high, 1, shape)
  switch (range) {
    case 'absmax':
      return whole
    case 'mse':
      return clippedGrid(block, low, high, whole, shape)
    case 'hqq':
      return hqqGrid(block, whole, shape)
  }
}

/** The grid that covers a share of the range from `low` to `high`. */
function gridTo(
  low: number,
  high: number,
  share: number,
  { bits, hasZero, roundScale, roundZero }: BlockShape,
): BlockGrid {
  const levels = 2 ** bits
  if (!hasZero) {
    const peak = -low > high ? low : high
    return { scale: roundScale((share * peak) / (-levels / 2)), zero: levels / 2 }
  }
  // Zero lies within the range, so that it is met well.
  const [from, to] = [Math.min(0, low) * share, Math.max(0, high) * share]
  const scale = roundScale((to - from) / (levels - 1))
  return { scale, zero: scale === 0 ? 0 : roundZero(-from / scale) }
}

/** Shares of the range that are tried: from all of it down to nearly half. */
const SHARES: readonly number[] = Array.from({ length: 20 }, (_, i) => 1 - i * 0.025)

function clippedGrid(
  block: ArrayLike<number>,
  low: number,
  high: number,
  whole: BlockGrid,
  shape: BlockShape,
): BlockGrid {
  let best = whole
  let least = Number.POSITIVE_INFINITY
  for (const share of SHARES) {
    // On a symmetric grid either end may be the one that is met exactly.
    for (const [from, to] of shape.hasZero ? [[low, high] as const] : [[low, high] as const, [-high, -low] as const]) {
      const grid = gridTo(from, to, share, shape)
      const error = squaredError(block, grid, shape)
      if (error < least) [best, least] = [grid, error]
    }
  }
  return best
}

function squaredError(block: ArrayLike<number>, grid: BlockGrid, shape: BlockShape): number {
  let sum = 0
  for (let i = 0; i < block.length; i++) {
    sum += (block[i]! - grid.scale * (levelOf(block[i]!, grid, shape) - grid.zero)) ** 2
  }
  return sum
}

function ends(block: ArrayLike<number>): readonly [number, number] {
  let low = 0
  let high = 0
  for (let i = 0; i < block.length; i++) {
    low = Math.min(low, block[i]!)
    high = Math.max(high, block[i]!)
  }
  return [low, high]
}

/** To what scales are stored as: float16, or float32. */
export const scaleRounding = (isHalf: boolean): ((scale: number) => number) =>
  isHalf ? (s) => halfToFloat(floatToHalf(s)) : Math.fround

/** Whether float16 has the digits for scales of these weights. */
export function fitsHalf(data: Float32Array | Float64Array): boolean {
  let largest = 0
  for (const v of data) largest = Math.max(largest, Math.abs(v))
  return largest >= 2 ** -8 && largest <= 65504
}
