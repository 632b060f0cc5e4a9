/**
 * SparseGPT (Frantar and Alistarh 2023, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot",
 * algorithm 1): inputs are visited one after the other; a weight that goes is made good for by those of later inputs,
 * by the step of the Optimal Brain Surgeon (Hassibi and Stork 1993). Which go is chosen for a block of inputs at a time,
 * by what each would cost once the blocks before have been made good for.
 */

import { dampedInverseFactor } from '../../linalg/cholesky.js'
import { markLeast, neighboursOf, type Pattern } from './pattern.js'

/** Inputs whose weights are chosen together (the paper's B_s). */
const BLOCK = 128

export interface SparseOptions {
  /** Share of the weights that go, where the pattern leaves that open. */
  readonly ratio: number
  readonly pattern: Pattern
  /** Added to H's diagonal, as a share of its mean. */
  readonly damping?: number
}

/** Weights [rows, depth] with zeros, for inputs of the moments `h` [depth, depth]; null where H is zero. */
export function solveSparse(
  weights: Float32Array,
  rows: number,
  depth: number,
  h: Float64Array,
  { ratio, pattern, damping = 0.01 }: SparseOptions,
): Float32Array | null {
  const factor = dampedInverseFactor(h, depth, damping)
  if (factor === null) return null
  const u = factor
  const rule = neighboursOf(pattern)
  const step = rule?.of ?? BLOCK
  // Inputs outside, outputs inside: a correction runs along all outputs.
  const work = new Float64Array(depth * rows)
  for (let r = 0; r < rows; r++) for (let j = 0; j < depth; j++) work[j * rows + r] = weights[r * depth + j]!
  const error = new Float64Array(rows)
  let gone = 0
  for (let from = 0; from < depth; from += step) {
    const to = Math.min(depth, from + step)
    // What is asked for up to here, less what went: so the whole has the ratio, whatever the blocks' widths.
    const marks = rule
      ? markRows(costs(from, to), to - from, rule.keep)
      : markShare(costs(from, to), Math.round(ratio * to * rows) - gone)
    for (const m of marks) gone += m
    for (let j = from; j < to; j++) {
      let any = false
      for (let r = 0; r < rows; r++) {
        const at = j * rows + r
        const isGone = marks[(j - from) * rows + r] === 1
        error[r] = isGone ? work[at]! / u[j * depth + j]! : 0
        if (isGone) work[at] = 0
        any ||= isGone
      }
      if (!any) continue
      for (let k = j + 1; k < depth; k++) {
        const share = u[j * depth + k]!
        for (let r = 0, at = k * rows; r < rows; r++, at++) work[at]! -= share * error[r]!
      }
    }
  }
  const out = new Float32Array(rows * depth)
  for (let r = 0; r < rows; r++) for (let j = 0; j < depth; j++) out[r * depth + j] = work[j * rows + r]!
  return out

  /** w² / [H⁻¹]_jj of the inputs that are left, [inputs, rows]: what it costs to lose a weight. */
  function costs(from: number, to: number): Float64Array {
    const out = new Float64Array((to - from) * rows)
    for (let j = from, i = 0; j < to; j++)
      for (let r = 0; r < rows; r++, i++) out[i] = (work[j * rows + r]! / u[j * depth + j]!) ** 2
    return out
  }

  function markRows(cost: Float64Array, width: number, keep: number): Uint8Array {
    const marks = new Uint8Array(cost.length)
    const own = new Float64Array(width)
    const ownMarks = new Uint8Array(width)
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < width; j++) own[j] = cost[j * rows + r]!
      ownMarks.fill(0)
      markLeast(own, width - keep, ownMarks)
      for (let j = 0; j < width; j++) marks[j * rows + r] = ownMarks[j]!
    }
    return marks
  }
}

function markShare(cost: Float64Array, count: number): Uint8Array {
  const marks = new Uint8Array(cost.length)
  markLeast(cost, Math.min(count, cost.length), marks)
  return marks
}
