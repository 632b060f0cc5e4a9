/**
 * AdaRound's problem (Nagel et al. 2020, "Up or Down? Adaptive Rounding for Post-Training Quantization", eq. 12): each
 * weight goes up or down, whichever leaves the outputs of its layer nearest, min δᵀHδ a row. The paper relaxes it and
 * descends along a gradient, for it has samples and not H. With H one flip's gain is known exactly in a few operations,
 * so flips, of one weight or of two, are taken as long as one helps: no learning rate, no schedule, and never worse than
 * where it began. Two matter, for of inputs that are alike one goes up where the other goes down. Of few inputs, as a
 * depthwise kernel has them, all ways are tried.
 */

import { clamp } from '../affine.js'
import { roundingErrors, roundNearest, type WeightGrid } from './grid.js'

/** Rounds over all weights of a row, at most; most rows settle in a few. */
const SWEEPS = 100

/** Inputs up to which all ways are tried: 2¹⁰ of them. */
const FEW = 10

/** Weights times inputs of a layer up to which flips of two are looked for: a round over them takes as many steps. */
const PAIRED = 2 ** 30

/** Gains, as shares of a flip's own squared error, that rounding of floats may feign. */
const TOLERANCE = 1e-9

/**
 * Integers [rows, depth] for weights whose inputs have the moments `h` [depth, depth]. No flip of one weight betters them,
 * nor, but in very large layers, of two.
 */
export function roundAdaptive(weights: Float32Array, grid: WeightGrid, h: Float64Array): Int8Array {
  const { rows, depth } = grid
  const integers = roundNearest(weights, grid)
  const errors = roundingErrors(integers, weights, grid)
  for (let r = 0; r < rows; r++) {
    const [from, to] = [r * depth, (r + 1) * depth]
    const own = integers.subarray(from, to)
    const row = rowOf(own, errors.subarray(from, to), grid.steps.subarray(from, to), grid.low[r]!, grid.high[r]!, h)
    if (depth <= FEW) tryAll(row)
    else descend(row, rows * depth ** 2 <= PAIRED)
  }
  return integers
}

/** One output's weights while they are flipped. */
interface Row {
  readonly integers: Int8Array
  /** What flipping a weight adds to it; 0 where it has no other side on the grid. */
  readonly change: Float64Array
  /** What flipping it adds to δᵀHδ. */
  readonly gain: Float64Array
  /** Squared errors that are nothing but rounding of floats. */
  readonly tolerance: Float64Array
  readonly h: Float64Array
  flip(j: number): void
}

function rowOf(
  integers: Int8Array,
  error: Float64Array,
  steps: Float32Array,
  low: number,
  high: number,
  h: Float64Array,
): Row {
  const depth = integers.length
  const other = integers.map((q, j) => {
    const isDown = error[j]! / steps[j]! <= 0
    return steps[j] === 0 ? q : clamp(isDown ? q + 1 : q - 1, low, high)
  })
  const change = Float64Array.from(steps, (step, j) => (other[j]! - integers[j]!) * step)
  // Hδ
  const slope = new Float64Array(depth)
  for (let j = 0; j < depth; j++) addColumn(j, error[j]!)
  const gain = new Float64Array(depth)
  const diagonal = Float64Array.from(steps, (_, j) => h[j * depth + j]!)
  evaluate()
  return {
    integers,
    change,
    gain,
    tolerance: change.map((c, j) => TOLERANCE * c * c * diagonal[j]!),
    h,
    flip(j) {
      addColumn(j, change[j]!)
      change[j] = -change[j]!
      const q = integers[j]!
      integers[j] = other[j]!
      other[j] = q
      evaluate()
    },
  }

  function addColumn(j: number, by: number): void {
    for (let k = 0, at = j * depth; k < depth; k++, at++) slope[k]! += by * h[at]!
  }

  /** (δ + c e_j)ᵀ H (δ + c e_j) − δᵀHδ */
  function evaluate(): void {
    for (let k = 0; k < depth; k++) gain[k] = change[k]! * (2 * slope[k]! + change[k]! * diagonal[k]!)
  }
}

function descend(row: Row, isPaired: boolean): void {
  for (let sweep = 0, changed = true; changed && sweep < SWEEPS; sweep++) {
    changed = false
    for (let j = 0; j < row.change.length; j++) {
      if (row.change[j] === 0) continue
      const isBetter = row.gain[j]! < -row.tolerance[j]!
      if (isBetter) row.flip(j)
      changed = isBetter || (isPaired && flipWithPartner(row, j)) || changed
    }
  }
}

/** Flips a weight together with the one that makes best of it, if that helps. */
function flipWithPartner({ change, gain, tolerance, h, flip }: Row, j: number): boolean {
  const depth = change.length
  const [own, cross] = [gain[j]!, 2 * change[j]!]
  let [partner, least] = [-1, -tolerance[j]!]
  for (let k = 0, at = j * depth; k < depth; k++, at++) {
    const both = own + gain[k]! + cross * change[k]! * h[at]!
    if (both < least && k !== j) {
      partner = k
      least = both
    }
  }
  if (partner < 0) return false
  flip(j)
  flip(partner)
  return true
}

/** All ways in the order of Gray's code, each one flip from the one before; ends at the best. */
function tryAll({ integers, change, gain, tolerance, flip }: Row): void {
  const free = [...change.keys()].filter((j) => change[j] !== 0)
  let best = integers.slice()
  let [loss, least] = [0, 0]
  for (let i = 1; i < 2 ** free.length; i++) {
    const j = free[31 - Math.clz32(i & -i)]!
    loss += gain[j]!
    flip(j)
    if (loss < least - tolerance[j]!) {
      least = loss
      best = integers.slice()
    }
  }
  integers.set(best)
}
