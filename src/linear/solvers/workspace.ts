/**
 * The working set of problems that share their Gram matrix, as those along a path do: a column that came in stays in, so
 * its part of the compact matrix is made once, not for each λ.
 */

import type { GramState, GramTerms } from '../../kernels/gram-descent.js'
import { BLOCK, type GramKernel, openGramKernel, wholeBlocks } from '../../kernels/gram-kernel.js'
import type { Fit, Penalized, Quadratic } from '../quadratic.js'

/** Passes that an extrapolation looks back on. */
export const MEMORY = 5

/** Where a working set takes its columns from. */
export interface Source {
  /** Correlations of all columns with y, and yᵀy. */
  readonly q: Float64Array
  readonly yy: number
  /** Fills rows and columns of the compact Gram matrix [working, stride] for the working columns from position `from` on. */
  enter(working: readonly number[], from: number, terms: Pick<GramTerms, 'gram' | 'stride'>): void
}

/** Made for one path and changed by its solves, one after the other. */
export interface Workspace<S extends Source = Source> {
  readonly source: S
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

/** `open` is for tests that want one kernel or the other; `columns`: so many are expected to come in. */
export function workspaceOn<S extends Source>(
  source: S,
  open: Workspace['open'] = openGramKernel,
  columns = 0,
): Workspace<S> {
  const p = source.q.length
  const room = roomOf(Math.min(p, Math.max(columns, FIRST_CAPACITY)), open)
  return { source, open, working: [], isIn: new Uint8Array(p), room }
}

function roomOf(capacity: number, open: Workspace['open']): Room {
  const stride = strideOf(capacity)
  const lengths = [capacity * stride, (1 + MEMORY) * stride, ...Array(9).fill(stride)]
  const kernel = open(lengths.reduce((sum, n) => sum + n, 0))
  let at = 0
  const parts = lengths.map((n) => {
    at += n
    return kernel.memory.subarray(at - n, at)
  })
  const [gram, iterates, q, l1, l2, lower, upper, beta, residual, coefficients, trial] = parts
  return {
    kernel,
    capacity,
    q: q!,
    terms: { gram: gram!, stride, l1: l1!, l2: l2!, lower: lower!, upper: upper! },
    state: { beta: beta!, residual: residual!, history: iterates!.subarray(stride) },
    iterates: iterates!,
    coefficients: coefficients!,
    trial: trial!,
  }
}

/** Whole blocks, an odd number of them: rows a power of two apart would share few lines of the cache. */
export const strideOf = (length: number): number => (Math.floor(wholeBlocks(length) / BLOCK) | 1) * BLOCK

/** Takes columns into the working set. */
export function enter(workspace: Workspace, columns: readonly number[]): void {
  const { source, working, isIn, open } = workspace
  const fresh = columns.filter((j) => isIn[j] === 0)
  if (fresh.length === 0) return
  const from = working.length
  const needed = from + fresh.length
  if (needed > workspace.room.capacity) {
    const before = workspace.room
    workspace.room = roomOf(Math.min(source.q.length, Math.max(needed, 2 * before.capacity)), open)
    move(before, workspace.room, from)
  }
  for (const j of fresh) {
    isIn[j] = 1
    workspace.room.q[working.length] = source.q[j]!
    working.push(j)
  }
  source.enter(working, from, workspace.room.terms)
}

/** The compact problem of the first n columns. */
function move(before: Room, after: Room, n: number): void {
  after.q.set(before.q.subarray(0, n))
  for (let a = 0; a < n; a++) {
    const row = before.terms.gram.subarray(a * before.terms.stride, a * before.terms.stride + n)
    after.terms.gram.set(row, a * after.terms.stride)
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
export function compactOf({ source, working, room: { q, terms, state } }: Workspace): Compact {
  const of = (values: Float64Array): Float64Array => values.subarray(0, working.length)
  const { l1, l2, lower, upper } = terms
  return {
    problem: { q: of(q), yy: source.yy },
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
