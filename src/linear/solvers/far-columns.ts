/**
 * Gradients that need not be computed. A gradient g = Σ ωᵢ sᵢ xᵢ is linear in the slopes s, so where it is known at some
 * points it is known at their combinations, and off these it differs by ‖xⱼ‖ ‖s − Σ c s‖ at most (Cauchy and Schwarz; the
 * sphere of El Ghaoui, Viallon and Rabbani 2012, around a better centre). What stays below its threshold even so is at zero
 * and has no part in the duality gap.
 */

import { type Objective, refreshed, type State } from '../objective.js'
import type { Penalized } from '../quadratic.js'

/** Directions that are kept. */
const KEPT = 2

/** A larger part of a direction would enlarge its rounding too. */
const LONGEST = 100

/** Of a threshold: room for rounding. */
const ROOM = 1e-9

/** The same, of a difference between squares. */
const PYTHAGORAS = 1e-10

/** Part of the columns of which the rest is computed as well, so that there is one more point to build on. */
const MANY = 0.5

/** Where the whole gradient is known: at the last such point and from it in directions, orthogonal, the last one first. */
export interface Known {
  readonly last: State
  readonly directions: readonly Direction[]
}

interface Vectors {
  readonly slopes: Float64Array
  readonly gradient: Float64Array
}

interface Direction extends Vectors {
  /** ω s / Σ ω s², whose product with other slopes says what part of them lies in this direction. */
  readonly dual: Float64Array
  /** Σ ω s² */
  readonly size: number
}

/** With this state, if all of its gradient is known. */
export function withState({ rows }: Objective, known: Known | null, state: State): Known | null {
  if (state.columns !== null || known?.last === state) return known
  if (known === null) return { last: state, directions: [] }
  const directions: Direction[] = []
  for (const next of [minus(state, known.last, 1), ...known.directions.slice(0, KEPT - 1)]) {
    const own = directions.reduce((d, later) => minus(d, later, dot(d.slopes, later.dual)), next)
    const dual = weighted(rows.shares, own.slopes)
    const size = dot(own.slopes, dual)
    for (let at = 0; at < dual.length; at++) dual[at]! /= size
    if (size > 0) directions.push({ ...own, dual, size })
  }
  return { last: state, directions }
}

export interface Bounded {
  /** With the best guess of what is not known. */
  readonly state: State
  /** Columns that may be above their threshold: what the guess says of them is not enough. */
  readonly doubtful: Int32Array
}

export function bounded({ rows }: Objective, penalized: Penalized, state: State, known: Known | null): Bounded {
  if (state.columns === null) return { state, doubtful: new Int32Array(0) }
  const p = rows.x.columns
  const fresh = new Set(state.columns)
  const far = Int32Array.from({ length: p }, (_, j) => j).filter((j) => !fresh.has(j))
  if (known === null) return { state, doubtful: far }
  const { guess, radius } = nearest(rows.shares, state, known)
  const gradient = state.gradient.slice()
  const isDoubtful = (at: number, j: number): boolean =>
    state.beta[at] !== 0 || !(Math.abs(guess[at]!) + rows.norms[j]! * radius <= (1 - ROOM) * penalized.l1[at]!)
  const doubtful = new Set<number>()
  for (const j of far) {
    for (let at = j; at < gradient.length; at += p) {
      gradient[at] = guess[at]!
      if (isDoubtful(at, j)) doubtful.add(j)
    }
  }
  return { state: { ...state, gradient }, doubtful: Int32Array.from(doubtful) }
}

/** With the gradient of these columns, or of all where that is hardly more. */
export function resolved(objective: Objective, state: State, doubtful: Int32Array): State {
  const missing = objective.rows.x.columns - (state.columns?.length ?? 0)
  return refreshed(objective, state, doubtful.length > MANY * missing ? null : doubtful)
}

/**
 * The known point that is nearest by its slopes, directions up to LONGEST: its gradient, and how far it is, by Pythagoras
 * and with what rounding may have hidden of it.
 */
function nearest(shares: Float64Array, state: State, { last, directions }: Known) {
  const way = state.slopes.slice()
  const outputs = state.intercepts.length
  let whole = 0
  for (let i = 0, at = 0; i < shares.length; i++) {
    for (let k = 0; k < outputs; k++, at++) {
      const d = way[at]! - last.slopes[at]!
      way[at] = d
      whole += shares[i]! * d * d
    }
  }
  const guess = last.gradient.slice()
  let square = (1 + PYTHAGORAS) * whole
  for (const { gradient, dual, size } of directions) {
    const part = dot(way, dual)
    if (!(Math.abs(part) < LONGEST)) continue
    subtract(guess, gradient, -part)
    square -= part * part * size
  }
  return { guess, radius: Math.sqrt(Math.max(square, PYTHAGORAS * whole)) }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** ω s, over all predictors of a row. */
function weighted(shares: Float64Array, slopes: Float64Array): Float64Array {
  const outputs = slopes.length / shares.length
  const out = new Float64Array(slopes.length)
  for (let i = 0, at = 0; i < shares.length; i++)
    for (let k = 0; k < outputs; k++, at++) out[at] = shares[i]! * slopes[at]!
  return out
}

const minus = (a: Vectors, b: Vectors, part: number): Vectors => {
  const [slopes, gradient] = [a.slopes.slice(), a.gradient.slice()]
  subtract(slopes, b.slopes, part)
  subtract(gradient, b.gradient, part)
  return { slopes, gradient }
}

/** In place. */
function subtract(from: Float64Array, other: Float64Array, part: number): void {
  for (let i = 0; i < from.length; i++) from[i]! -= part * other[i]!
}
