/**
 * AdaRound's problem (Nagel et al. 2020, "Up or Down? Adaptive Rounding for Post-Training Quantization", eq. 12): each
 * weight goes up or down, whichever leaves the outputs of its layer nearest, min δᵀHδ a row. The paper relaxes it and
 * descends along a gradient, for it has samples and not H. With H one flip's gain is known exactly in a few operations,
 * so flips are taken as long as one helps: no learning rate, no schedule, and never worse than where it began.
 */

import { clamp } from '../affine.js'
import { roundNearest, type WeightGrid } from './grid.js'

/** Rounds over all weights of a row, at most; most rows settle in a few. */
const SWEEPS = 100

/** Integers [rows, depth] for weights whose inputs have the moments `h` [depth, depth]; no single flip betters them. */
export function roundAdaptive(weights: Float32Array, grid: WeightGrid, h: Float64Array): Int8Array {
  const { rows, depth, steps } = grid
  const integers = roundNearest(weights, grid)
  const error = new Float64Array(depth)
  const slope = new Float64Array(depth)
  for (let r = 0; r < rows; r++) {
    const from = r * depth
    for (let j = 0; j < depth; j++) error[j] = integers[from + j]! * steps[from + j]! - weights[from + j]!
    multiply(h, error, slope)
    for (let sweep = 0; sweep < SWEEPS; sweep++) if (!sweepRow(r)) break
  }
  return integers

  /** Flips what helps in one row; whether anything did. */
  function sweepRow(r: number): boolean {
    let changed = false
    for (let j = 0; j < depth; j++) {
      const at = r * depth + j
      const step = steps[at]!
      if (step === 0) continue
      const q = integers[at]!
      const other = clamp(otherSide(q, weights[at]! / step), grid.low[r]!, grid.high[r]!)
      if (other === q) continue
      const change = (other - q) * step
      // (δ + c e_j)ᵀ H (δ + c e_j) − δᵀHδ
      const gain = change * (2 * slope[j]! + change * h[j * depth + j]!)
      if (!(gain < -TOLERANCE * change * change * h[j * depth + j]!)) continue
      integers[at] = other
      for (let k = 0; k < depth; k++) slope[k]! += change * h[j * depth + k]!
      changed = true
    }
    return changed
  }
}

/** Gains that rounding of floats may feign. */
const TOLERANCE = 1e-9

/** The integer on the other side of a value. */
const otherSide = (q: number, value: number): number => (q <= value ? q + 1 : q - 1)

/** y = Hx of a symmetric H. */
function multiply(h: Float64Array, x: Float64Array, y: Float64Array): void {
  const n = x.length
  y.fill(0)
  for (let j = 0; j < n; j++) {
    const v = x[j]!
    if (v !== 0) for (let k = 0; k < n; k++) y[k]! += v * h[j * n + k]!
  }
}
