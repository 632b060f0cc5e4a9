/**
 * Gradients that need not be computed. A gradient g = Σ ωᵢ sᵢ xᵢ is linear in the slopes s, so where it is known at some
 * points it is known at their combinations, and off these it differs by ‖xⱼ‖ ‖s − Σ c s‖ at most (Cauchy and Schwarz; the
 * sphere of El Ghaoui, Viallon and Rabbani 2012, around a better centre). What stays below its threshold even so is at zero
 * and has no part in the duality gap.
 */

import { type Objective, refreshed, type State } from '../objective.js'
import type { Penalized } from '../quadratic.js'

/** Directions that are kept. */
const KEPT = 3

/** A larger part of a direction would enlarge its rounding too. */
const LONGEST = 100

/** Of a threshold: room for rounding. */
const ROOM = 1e-9

/** Part of the columns of which the rest is computed as well, so that there is one more point to build on. */
const MANY = 0.5

/** Where the whole gradient is known: at the last such point and from it in directions, orthogonal, the last one first. */
export interface Known {
  readonly last: State
  readonly directions: readonly Vectors[]
}

interface Vectors {
  readonly slopes: Float64Array
  readonly gradient: Float64Array
}

/** With this state, if all of its gradient is known. */
export function withState({ rows }: Objective, known: Known | null, state: State): Known | null {
  if (state.columns !== null || known?.last === state) return known
  if (known === null) return { last: state, directions: [] }
  const directions = [difference(state, known.last)]
  for (const { slopes, gradient } of known.directions.slice(0, KEPT - 1)) {
    const earlier = { slopes: slopes.slice(), gradient: gradient.slice() }
    for (const later of directions) subtract(earlier, later, partOf(rows.shares, earlier, later))
    directions.push(earlier)
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

/** The known point that is nearest by its slopes, directions up to LONGEST: its gradient, and how far it is. */
function nearest(shares: Float64Array, state: State, { last, directions }: Known) {
  const rest = difference(state, last)
  for (const direction of directions) {
    const part = partOf(shares, rest, direction)
    if (Math.abs(part) < LONGEST) subtract(rest, direction, part)
  }
  const guess = state.gradient.map((g, at) => g - rest.gradient[at]!)
  return { guess, radius: Math.sqrt(inner(shares, rest.slopes, rest.slopes)) }
}

/** Of b in a, 0 where b is nothing (Gram and Schmidt). */
function partOf(shares: Float64Array, { slopes: a }: Vectors, { slopes: b }: Vectors): number {
  const own = inner(shares, b, b)
  return own > 0 ? inner(shares, a, b) / own : 0
}

/** Σ ω ab over all predictors. */
function inner(shares: Float64Array, a: Float64Array, b: Float64Array): number {
  const outputs = a.length / shares.length
  let sum = 0
  for (let i = 0, at = 0; i < shares.length; i++)
    for (const end = at + outputs; at < end; at++) sum += shares[i]! * a[at]! * b[at]!
  return sum
}

function difference(a: Vectors, b: Vectors): Vectors {
  const copy = { slopes: a.slopes.slice(), gradient: a.gradient.slice() }
  subtract(copy, b, 1)
  return copy
}

/** In place. */
function subtract(from: Vectors, { slopes, gradient }: Vectors, part: number): void {
  for (let i = 0; i < slopes.length; i++) from.slopes[i]! -= part * slopes[i]!
  for (let j = 0; j < gradient.length; j++) from.gradient[j]! -= part * gradient[j]!
}
