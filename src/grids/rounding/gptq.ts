/**
 * GPTQ (Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
 * algorithm 1): inputs are rounded one after the other, and what each rounding did to the outputs is made good by the
 * weights of the inputs that come after it.
 */

import { dampedInverseFactor } from '../../linalg/cholesky.js'
import { nearest, roundNearest, type WeightGrid, weightOf } from './grid.js'

export interface GptqOptions {
  /** Added to H's diagonal, as a share of its mean. */
  readonly damping?: number
  /** Strongest inputs first, while many can still make good for them; else as they lie. */
  readonly byActivation?: boolean
}

/** Integers [rows, depth] for weights whose inputs have the moments `h` [depth, depth]. */
export function roundGptq(
  weights: Float32Array,
  grid: WeightGrid,
  h: Float64Array,
  { damping = 0.01, byActivation = true }: GptqOptions = {},
): Int8Array {
  const { rows, depth } = grid
  const order = inputOrder(h, depth, byActivation)
  const u = dampedInverseFactor(permuted(h, order), depth, damping)
  if (u === null) return roundNearest(weights, grid)
  // Inputs outside, outputs inside: a correction runs along all outputs.
  const work = new Float64Array(depth * rows)
  for (let j = 0; j < depth; j++) for (let r = 0; r < rows; r++) work[j * rows + r] = weights[r * depth + order[j]!]!
  const integers = new Int8Array(rows * depth)
  const error = new Float64Array(rows)
  for (let j = 0; j < depth; j++) {
    const column = order[j]!
    for (let r = 0; r < rows; r++) {
      const value = work[j * rows + r]!
      const q = nearest(grid, r, column, value)
      integers[r * depth + column] = q
      error[r] = (value - weightOf(grid, r * depth + column, q)) / u[j * depth + j]!
    }
    for (let k = j + 1; k < depth; k++) {
      const share = u[j * depth + k]!
      for (let r = 0, at = k * rows; r < rows; r++, at++) work[at]! -= share * error[r]!
    }
  }
  return integers
}

/** The order in which inputs are rounded. */
function inputOrder(h: Float64Array, depth: number, byActivation: boolean): Uint32Array {
  const order = Uint32Array.from({ length: depth }, (_, j) => j)
  return byActivation ? order.sort((a, b) => h[b * depth + b]! - h[a * depth + a]! || a - b) : order
}

function permuted(h: Float64Array, order: Uint32Array): Float64Array {
  const n = order.length
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[i * n + j] = h[order[i]! * n + order[j]!]!
  return out
}
