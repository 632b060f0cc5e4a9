/**
 * Half-quadratic quantization (Badri and Shaji 2023, "Half-Quadratic Quantization of Large Machine Learning Models"):
 * the grid of a block is chosen without data, for weights whose errors are mostly small and sometimes large. It looks for
 *
 *   argmin over s, z of φ(W − s·(Q − z)),   Q = round(W/s + z),   φ(e) = Σ |e|ᵖ, p < 1,
 *
 * by splitting the error off, W_e ≈ W − s·(Q − z), and taking turns: W_e = shrink(W − s·(Q − z), β), the generalized soft
 * threshold of ℓₚ, then the grid that fits W − W_e best in least squares, and β grows. The paper keeps s and fits z alone,
 * which whole zero points mostly round away; here s is fitted with it, or alone where there are no zero points. It ends
 * with the first turn that does not lower φ, and hands back the best grid as it is stored.
 */

import { clamp, roundEven } from './affine.js'

export interface BlockGrid {
  readonly scale: number
  /** Of the integers 0 … levels − 1; on a symmetric grid the fixed middle. */
  readonly zero: number
}

/** Integers that a block may have, and which of its numbers are free. */
export interface BlockShape {
  readonly bits: number
  /** Grids may have any zero point, not only the middle one. */
  readonly hasZero: boolean
  /** To what scale and zero point will be stored as. */
  roundScale(scale: number): number
  roundZero(zero: number): number
}

const P = 0.7
const BETA = 10
const GROWTH = 1.01
const TURNS = 20

/** φ of the errors that a grid makes. */
export function lpLoss(block: ArrayLike<number>, grid: BlockGrid, shape: BlockShape): number {
  let sum = 0
  for (let i = 0; i < block.length; i++) sum += Math.abs(block[i]! - valueOn(block[i]!, grid, shape)) ** P
  return sum
}

/** The integer of a value on a grid. */
export function levelOf(value: number, { scale, zero }: BlockGrid, { bits }: BlockShape): number {
  return scale === 0
    ? clamp(Math.round(zero), 0, 2 ** bits - 1)
    : clamp(roundEven(value / scale + zero), 0, 2 ** bits - 1)
}

const valueOn = (value: number, grid: BlockGrid, shape: BlockShape): number =>
  grid.scale * (levelOf(value, grid, shape) - grid.zero)

/** The grid found from `start`, nowhere worse than it by `lpLoss`. */
export function hqqGrid(block: ArrayLike<number>, start: BlockGrid, shape: BlockShape): BlockGrid {
  if (start.scale === 0) return start
  let best = start
  let least = lpLoss(block, start, shape)
  let [current, reached] = [start, least]
  for (let turn = 0, beta = BETA; turn < TURNS && reached > 0; turn++, beta *= GROWTH) {
    current = refit(block, current, shape, beta)
    const loss = lpLoss(block, current, shape)
    const stored = { scale: shape.roundScale(current.scale), zero: shape.roundZero(current.zero) }
    const held = lpLoss(block, stored, shape)
    if (held < least) [best, least] = [stored, held]
    if (!(loss < reached)) break
    reached = loss
  }
  return best
}

/** One turn: the errors split off, then the grid fitted to what is left. Errors count in steps of the grid. */
function refit(block: ArrayLike<number>, grid: BlockGrid, shape: BlockShape, beta: number): BlockGrid {
  const { scale, zero } = grid
  let [sumQ, sumQQ, sumK, sumQK] = [0, 0, 0, 0]
  for (let i = 0; i < block.length; i++) {
    const q = levelOf(block[i]!, grid, shape) - (shape.hasZero ? 0 : zero)
    const error = block[i]! / scale - (levelOf(block[i]!, grid, shape) - zero)
    const kept = block[i]! - scale * shrink(error, beta)
    sumQ += q
    sumQQ += q * q
    sumK += kept
    sumQK += q * kept
  }
  if (!shape.hasZero) return sumQQ === 0 || sumQK === 0 ? grid : { scale: sumQK / sumQQ, zero }
  const n = block.length
  const slope = (n * sumQK - sumQ * sumK) / (n * sumQQ - sumQ * sumQ)
  if (!Number.isFinite(slope) || slope === 0) return grid
  return { scale: slope, zero: (sumQ - sumK / slope) / n }
}

/** The generalized soft threshold of ℓₚ: sign(x) · max(0, |x| − |x|^(p−1) / β). */
const shrink = (x: number, beta: number): number =>
  x === 0 ? 0 : Math.sign(x) * Math.max(0, Math.abs(x) - Math.abs(x) ** (P - 1) / beta)
