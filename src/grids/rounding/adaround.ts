/**
 * AdaRound's problem (Nagel et al. 2020, "Up or Down? Adaptive Rounding for Post-Training Quantization", eq. 12): each
 * weight goes up or down, whichever leaves the outputs of its layer nearest, min δᵀHδ a row. The paper relaxes it and
 * descends along a gradient, for it has samples and not H. With H one flip's gain is known exactly in a few operations,
 * so flips are taken as long as one helps: no learning rate, no schedule, and never worse than where it began. Of few
 * inputs, as a depthwise kernel has them, all ways are tried.
 */

import { clamp } from '../affine.js'
import { roundNearest, type WeightGrid } from './grid.js'

/** Rounds over all weights of a row, at most; most rows settle in a few. */
const SWEEPS = 100

/** Inputs up to which all ways are tried: 2¹⁰ of them. */
const FEW = 10

/** Gains, as shares of a flip's own squared error, that rounding of floats may feign. */
const TOLERANCE = 1e-9

/** Integers [rows, depth] for weights whose inputs have the moments `h` [depth, depth]; no single flip betters them. */
export function roundAdaptive(weights: Float32Array, grid: WeightGrid, h: Float64Array): Int8Array {
  const { rows, depth } = grid
  const integers = roundNearest(weights, grid)
  const settle = depth <= FEW ? tryAll : descend
  for (let r = 0; r < rows; r++) {
    const [from, to] = [r * depth, (r + 1) * depth]
    const steps = grid.steps.subarray(from, to)
    const own = integers.subarray(from, to)
    const others = otherSides(own, weights.subarray(from, to), steps, grid.low[r]!, grid.high[r]!)
    settle(rowOf(own, others, weights.subarray(from, to), steps, h))
  }
  return integers
}

/** The integer on the other side of each weight; the same where there is none on the grid. */
function otherSides(
  integers: Int8Array,
  weights: Float32Array,
  steps: Float32Array,
  low: number,
  high: number,
): Int8Array {
  return integers.map((q, j) => {
    if (steps[j] === 0) return q
    return clamp(q <= weights[j]! / steps[j]! ? q + 1 : q - 1, low, high)
  })
}

/** One output's weights while they are flipped. */
interface Row {
  /** Inputs whose weight has another side. */
  readonly free: readonly number[]
  readonly integers: Int8Array
  /** What flipping a weight changes δᵀHδ by. */
  gain(j: number): number
  /** What it changes it by at the least, the others aside. */
  own(j: number): number
  flip(j: number): void
}

function rowOf(
  integers: Int8Array,
  others: Int8Array,
  weights: Float32Array,
  steps: Float32Array,
  h: Float64Array,
): Row {
  const depth = integers.length
  // Hδ
  const slope = new Float64Array(depth)
  for (let j = 0; j < depth; j++) addColumn(j, integers[j]! * steps[j]! - weights[j]!)
  const changeOf = (j: number): number => (others[j]! - integers[j]!) * steps[j]!
  return {
    free: [...integers.keys()].filter((j) => others[j] !== integers[j]),
    integers,
    // (δ + c e_j)ᵀ H (δ + c e_j) − δᵀHδ
    gain: (j) => changeOf(j) * (2 * slope[j]! + changeOf(j) * h[j * depth + j]!),
    own: (j) => changeOf(j) ** 2 * h[j * depth + j]!,
    flip(j) {
      addColumn(j, changeOf(j))
      const q = integers[j]!
      integers[j] = others[j]!
      others[j] = q
    },
  }

  function addColumn(j: number, change: number): void {
    for (let k = 0, at = j * depth; k < depth; k++, at++) slope[k]! += change * h[at]!
  }
}

function descend(row: Row): void {
  for (let sweep = 0, changed = true; changed && sweep < SWEEPS; sweep++) {
    changed = false
    for (const j of row.free) {
      if (row.gain(j) >= -TOLERANCE * row.own(j)) continue
      row.flip(j)
      changed = true
    }
  }
}

/** All ways in the order of Gray's code, each one flip from the one before; ends at the best. */
function tryAll(row: Row): void {
  const { free, integers } = row
  let best = integers.slice()
  let [loss, least] = [0, 0]
  for (let i = 1; i < 2 ** free.length; i++) {
    const j = free[31 - Math.clz32(i & -i)]!
    loss += row.gain(j)
    row.flip(j)
    if (loss < least - TOLERANCE * row.own(j)) {
      least = loss
      best = integers.slice()
    }
  }
  integers.set(best)
}
