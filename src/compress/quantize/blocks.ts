/**
 * Block weights: each run of `block` elements along one axis has a scale of its own. Symmetric, with the signed
 * scale of MatMulNBits: the element of largest magnitude becomes exactly −8 (4 bits) or −128 (8 bits).
 */

import { clamp, roundEven } from '../../grids/affine.js'

export interface Blocks {
  /** Integers in [−2^(bits−1), 2^(bits−1) − 1], row after row, each padded with zeros to whole blocks. */
  readonly values: Int8Array
  /** [rows, blocks a row]. */
  readonly scales: Float32Array
  readonly blocksPerRow: number
}

/** `data` is [rows, depth]; the last block of a row may be short. `roundScale`: to what the scales will be stored as. */
export function quantizeBlocks(
  data: Float32Array,
  rows: number,
  depth: number,
  block: number,
  bits: 4 | 8,
  roundScale: (s: number) => number = Math.fround,
): Blocks {
  const low = -(2 ** (bits - 1))
  const high = -low - 1
  const blocksPerRow = Math.ceil(depth / block)
  const padded = blocksPerRow * block
  const values = new Int8Array(rows * padded)
  const scales = new Float32Array(rows * blocksPerRow)
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < blocksPerRow; b++) {
      const start = r * depth + b * block
      const end = r * depth + Math.min(depth, (b + 1) * block)
      let peak = 0
      for (let i = start; i < end; i++) if (Math.abs(data[i]!) > Math.abs(peak)) peak = data[i]!
      const scale = roundScale(peak / low)
      scales[r * blocksPerRow + b] = scale
      if (scale === 0 || !Number.isFinite(scale)) continue
      const to = r * padded + b * block - start
      for (let i = start; i < end; i++) values[to + i] = clamp(roundEven(data[i]! / scale), low, high)
    }
  }
  return { values, scales, blocksPerRow }
}

/** Two 4-bit integers a byte, low half first; `offset` 8 makes them unsigned. */
export function packNibbles(values: ArrayLike<number>, offset = 0): Uint8Array {
  const out = new Uint8Array(Math.ceil(values.length / 2))
  for (let i = 0; i < values.length; i++) out[i >> 1]! |= ((values[i]! + offset) & 15) << (4 * (i & 1))
  return out
}
