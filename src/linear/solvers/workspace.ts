/**
 * The working set of problems that share their Gram matrix, as those along a path do: a column that came in stays in, so
 * its row and its part of the compact matrix are copied once, not for each λ.
 */

import type { GramState, GramTerms } from '../../kernels/gram-descent.js'
import { BLOCK, type GramKernel, openGramKernel, wholeBlocks } from '../../kernels/gram-kernel.js'
import type { Fit, Penalized, Quadratic } from '../quadratic.js'

/** Passes that an extrapolation looks back on. */
export const MEMORY = 5

/** Made for one path and changed by its solves, one after the other. */
export interface Workspace {
  readonly problem: Quadratic
  readonly open: (length: number) => GramKernel
  /** Columns in the order that they came in. */
  readonly working: number[]
  /** Of each column, 1 where it is in. */
  readonly isIn: Uint8Array
  /** Replaced by a larger one when it is full. */
  room: Room
}

/** Arrays for so many columns, in one memory. */
export interface Room {
  readonly kernel: GramKernel
  readonly capacity: number
  /** Whole rows of the Gram matrix: [capacity, rowStride]. */
  readonly rows: Float64Array
  readonly rowStride: number
  /** Correlations of all columns. */
  readonly correlations: Float64Array
  /** The compact problem. */
  readonly terms: Omit<GramTerms, 'n'>
  readonly q: Float64Array
  readonly state: GramState
  /** β before the passes, and after each: [1 + MEMORY, stride]. */
  readonly iterates: Float64Array
  /** Of sums of rows, and what is tried. */
  readonly coefficients: Float64Array
  readonly trial: Float64Array
}

const FIRST_CAPACITY = 64

/** Throws nothing; `open` is for tests that want one kernel or the other. */
export function workspaceOf(problem: Quadratic, open: Workspace['open'] = openGramKernel): Workspace {
  const p = problem.q.length
  const room = roomOf(Math.min(p, FIRST_CAPACITY), p, open)
  return { problem, open, working: [], isIn: new Uint8Array(p), room }
}

function roomOf(capacity: number, p: number, open: Workspace['open']): Room {
  const [stride, rowStride] = [strideOf(capacity), strideOf(p)]
  const lengths = [capacity * rowStride, rowStride, capacity * stride, (1 + MEMORY) * stride, ...Array(9).fill(stride)]
  const kernel = open(lengths.reduce((sum, n) => sum + n, 0))
  let at = 0
  const parts = lengths.map((n) => {
    at += n
    return kernel.memory.subarray(at - n, at)
  })
  const [rows, correlations, gram, iterates, q, l1, l2, lower, upper, beta, residual, coefficients, trial] = parts
  return {
    kernel,
    capacity,
    rows: rows!,
    rowStride,
    correlations: correlations!,
    q: q!,
    terms: { gram: gram!, stride, l1: l1!, l2: l2!, lower: lower!, upper: upper! },
    state: { beta: beta!, residual: residual!, history: iterates!.subarray(stride) },
    iterates: iterates!,
    coefficients: coefficients!,
    trial: trial!,
  }
}

/** Whole blocks, an odd number of them: rows a power of two apart would share few lines of the cache. */
const strideOf = (length: number): number => (Math.floor(wholeBlocks(length) / BLOCK) | 1) * BLOCK

/** Takes columns into the working set. */
export function enter(workspace: Workspace, columns: readonly number[]): void {
  const { problem, working, isIn, open } = workspace
  const fresh = columns.filter((j) => isIn[j] === 0)
  const needed = working.length + fresh.length
  if (needed > workspace.room.capacity) {
    const p = problem.q.length
    workspace.room = roomOf(Math.min(p, Math.max(needed, 2 * workspace.room.capacity)), p, open)
    for (let a = 0; a < working.length; a++) copyColumn(workspace, a)
  }
  for (const j of fresh) {
    isIn[j] = 1
    copyColumn(workspace, working.push(j) - 1)
  }
}

/** Row a of both matrices, and column a of the compact one. */
function copyColumn({ problem: { gram, q }, working, room }: Workspace, a: number): void {
  const { rows, rowStride, terms } = room
  const row = working[a]! * q.length
  room.q[a] = q[working[a]!]!
  rows.set(gram.subarray(row, row + q.length), a * rowStride)
  for (let b = 0; b <= a; b++) {
    const value = gram[row + working[b]!]!
    terms.gram[a * terms.stride + b] = value
    terms.gram[b * terms.stride + a] = value
  }
}

/** The compact problem begins at `fit`. */
export function load({ working, room: { terms, state, iterates } }: Workspace, penalized: Penalized, fit: Fit): void {
  for (const [k, j] of working.entries()) {
    terms.l1[k] = penalized.l1[j]!
    terms.l2[k] = penalized.l2[j]!
    terms.lower[k] = penalized.lower[j]!
    terms.upper[k] = penalized.upper[j]!
    state.beta[k] = fit.beta[j]!
    state.residual[k] = fit.residual[j]!
  }
  iterates.set(state.beta)
}

export interface Compact {
  readonly problem: Pick<Quadratic, 'q' | 'yy'>
  readonly penalized: Penalized
  readonly fit: Fit
}

/** Views of what is loaded: the fit is always the present one. */
export function compactOf({ problem, working, room: { q, terms, state } }: Workspace): Compact {
  const of = (values: Float64Array): Float64Array => values.subarray(0, working.length)
  const { l1, l2, lower, upper } = terms
  return {
    problem: { q: of(q), yy: problem.yy },
    penalized: { l1: of(l1), l2: of(l2), lower: of(lower), upper: of(upper) },
    fit: { beta: of(state.beta), residual: of(state.residual), passes: 0 },
  }
}

/** Brings `beta` to where the compact problem came; returns the largest change. */
export function store({ working, room: { state } }: Workspace, beta: Float64Array): number {
  let largest = 0
  for (const [k, j] of working.entries()) {
    largest = Math.max(largest, Math.abs(state.beta[k]! - beta[j]!))
    beta[j] = state.beta[k]!
  }
  return largest
}

/** q − Gβ of all columns, computed anew from the coefficients: nothing is left of the rounding of many small changes. */
export function correlationsOf({ problem: { q }, working, room }: Workspace): Float64Array {
  const { kernel, rows, rowStride, correlations, state } = room
  correlations.set(q)
  const all = { count: working.length, length: q.length, data: rows, stride: rowStride }
  kernel.subtractRows(all, state.beta, correlations)
  return correlations.slice(0, q.length)
}
