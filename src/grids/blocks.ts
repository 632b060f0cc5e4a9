/**
 * Block weights: each run of `block` elements along one axis has a scale of its own, and a zero point where the format
 * has one. Symmetric blocks have the signed scale of MatMulNBits: with the range `absmax` the element of largest
 * magnitude becomes exactly −8 (4 bits) or −128 (8 bits).
 */

import { elementCount } from '../ir/tensor.js'
import { type BlockRange, blockGrid } from './block-ranges.js'
import { levelOf } from './hqq.js'

export interface Blocks {
  /** Integers less `middle`, in [−2^(bits−1), 2^(bits−1) − 1], row after row, each padded with zeros to whole blocks. */
  readonly values: Int8Array
  /** [rows, blocks a row]. */
  readonly scales: Float32Array
  /** Zero points less `middle` = 2^(bits−1), as `scales`; absent where all are zero: real = (q − zero) · scale. */
  readonly zeros?: Float32Array
  readonly blocksPerRow: number
}

export interface BlockChoice {
  /** Default `absmax`. */
  readonly range?: BlockRange
  /** Zero points are found too. Default false. */
  readonly hasZeros?: boolean
  /** To what zero points will be stored as. Default: whole numbers from 0 to 2^bits − 1. */
  readonly roundZero?: (zero: number) => number
}

/** Rows of `depth` weights in blocks of `block`. */
export interface BlockLayout {
  readonly rows: number
  readonly depth: number
  readonly block: number
}

/** Of rows shorter than this a scale each would be a large part of the file. */
const SHORTEST = 8

/**
 * Blocks of about `size` weights: a divisor of the rows [first dimension, rest] from half to twice that, or a whole row that
 * is shorter, so that no block has weights of two rows and none is padded. Where there is none, all weights are one row.
 */
export function blockLayout(shape: readonly number[], size: number): BlockLayout {
  const count = elementCount(shape)
  const rows = shape.length < 2 || count === 0 ? 1 : shape[0]!
  const depth = count / rows
  if (rows > 1 && depth >= SHORTEST && depth < size / 2) return { rows, depth, block: depth }
  const lengths = Array.from({ length: 2 * size }, (_, i) => i + 1).filter((n) => 2 * n >= size && depth % n === 0)
  const far = (n: number): number => Math.abs(Math.log(n / size))
  if (count === 0 || lengths.length === 0) return { rows: 1, depth: count, block: size }
  return { rows, depth, block: lengths.reduce((a, b) => (far(b) < far(a) ? b : a)) }
}

/** `data` is [rows, depth]; the last block of a row may be short. `roundScale`: to what the scales will be stored as. */
export function quantizeBlocks(
  data: Float32Array | Float64Array,
  rows: number,
  depth: number,
  block: number,
  bits: number,
  roundScale: (s: number) => number = Math.fround,
  { range = 'absmax', hasZeros = false, roundZero }: BlockChoice = {},
): Blocks {
  const middle = 2 ** (bits - 1)
  const whole = (zero: number): number => Math.min(2 * middle - 1, Math.max(0, Math.round(zero)))
  const shape = { bits, hasZero: hasZeros, roundScale, roundZero: roundZero ?? whole }
  const blocksPerRow = Math.ceil(depth / block)
  const padded = blocksPerRow * block
  const values = new Int8Array(rows * padded)
  const scales = new Float32Array(rows * blocksPerRow)
  const zeros = new Float32Array(hasZeros ? scales.length : 0)
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < blocksPerRow; b++) {
      const own = data.subarray(r * depth + b * block, r * depth + Math.min(depth, (b + 1) * block))
      const grid = blockGrid(own, range, shape)
      const at = r * blocksPerRow + b
      const isUsable = Number.isFinite(grid.scale)
      scales[at] = grid.scale
      if (hasZeros) zeros[at] = grid.zero - middle
      if (grid.scale === 0 || !isUsable) continue
      for (let i = 0; i < own.length; i++) values[r * padded + b * block + i] = levelOf(own[i]!, grid, shape) - middle
    }
  }
  return { values, scales, blocksPerRow, ...(hasZeros && { zeros }) }
}

/** Two 4-bit integers a byte, low half first; `offset` 8 makes them unsigned. */
export function packNibbles(values: ArrayLike<number>, offset = 0): Uint8Array {
  const out = new Uint8Array(Math.ceil(values.length / 2))
  for (let i = 0; i < values.length; i++) out[i >> 1]! |= ((values[i]! + offset) & 15) << (4 * (i & 1))
  return out
}
