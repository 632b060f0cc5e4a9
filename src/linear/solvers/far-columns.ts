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
  const directions: Vectors[] = []
  for (const next of [less(state, known.last, 1), ...known.directions.slice(0, KEPT - 1)])
    directions.push(directions.reduce((d, other) => less(d, other, partOf(rows.shares, d, other)), next))
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
  const { guess, radii } = nearest(rows.shares, state, known)
  const gradient = state.gradient.slice()
  const isDoubtful = (j: number): boolean => {
    for (const [k, radius] of radii.entries()) {
      const at = k * p + j
      gradient[at] = guess[at]!
      const most = Math.abs(guess[at]!) + rows.norms[j]! * radius
      if (state.beta[at] !== 0 || !(most <= (1 - ROOM) * penalized.l1[at]!)) return true
    }
    return false
  }
  // Every column is asked, as this also takes over the guess.
  const doubtful = far.filter(isDoubtful)
  return { state: { ...state, gradient }, doubtful }
}

/** With the gradient of these columns, or of all where that is hardly more. */
export function resolved(objective: Objective, state: State, doubtful: Int32Array): State {
  const missing = objective.rows.x.columns - (state.columns?.length ?? 0)
  return refreshed(objective, state, doubtful.length > MANY * missing ? null : doubtful)
}

/** The known point that is nearest by its slopes, directions up to LONGEST: its gradient, and by predictor how far it is. */
function nearest(shares: Float64Array, state: State, { last, directions }: Known) {
  let rest = less(state, last, 1)
  for (const direction of directions) {
    const part = partOf(shares, rest, direction)
    if (Math.abs(part) < LONGEST) rest = less(rest, direction, part)
  }
  const squares = new Float64Array(state.intercepts.length)
  for (let i = 0, at = 0; i < shares.length; i++)
    for (let k = 0; k < squares.length; k++) squares[k]! += shares[i]! * rest.slopes[at++]! ** 2
  return { guess: minus(state.gradient, rest.gradient, 1), radii: squares.map(Math.sqrt) }
}

/** Of b in a, 0 where b is nothing (Gram and Schmidt). */
function partOf(shares: Float64Array, { slopes: a }: Vectors, { slopes: b }: Vectors): number {
  const outputs = a.length / shares.length
  let [both, own] = [0, 0]
  for (let i = 0, at = 0; i < shares.length; i++) {
    for (let k = 0; k < outputs; k++, at++) {
      const weighted = shares[i]! * b[at]!
      both += weighted * a[at]!
      own += weighted * b[at]!
    }
  }
  return own > 0 ? both / own : 0
}

const less = (a: Vectors, b: Vectors, part: number): Vectors => ({
  slopes: minus(a.slopes, b.slopes, part),
  gradient: minus(a.gradient, b.gradient, part),
})

function minus(a: Float64Array, b: Float64Array, part: number): Float64Array {
  const out = new Float64Array(a.length)
  for (let i = 0; i < a.length; i++) out[i] = a[i]! - part * b[i]!
  return out
}
