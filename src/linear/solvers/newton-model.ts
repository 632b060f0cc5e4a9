/** The quadratic model of a generalized linear model around a point, on the coordinates that move. */

import type { Engine } from '../../engine/engine.js'
import { gatherGram } from '../gather-gram.js'
import type { Objective, State } from '../objective.js'
import { type Fit, type Penalized, violationOf } from '../quadratic.js'
import type { Coefficients, Coordinates } from '../rows.js'
import { solveGram } from './gram.js'

/** The second derivative where it was last computed, on coordinates that may be more than those that move now. */
export interface NewtonModel {
  readonly coordinates: Coordinates
  /** XᵀWX: [m, m] */
  readonly gram: Float64Array
}

/** Fresh, on these coordinates; by the second derivative itself where the curvature of the datafit is a bound. */
export async function newtonModel(
  { rows, datafit, y }: Objective,
  { eta }: State,
  coordinates: Coordinates,
  { isSecond, engine }: { readonly isSecond: boolean; readonly engine: Engine | undefined },
): Promise<NewtonModel> {
  const { outputs } = datafit
  const curvature = new Float64Array(y.length * outputs * outputs)
  const fill = (isSecond && datafit.second) || datafit.curvature
  for (let i = 0; i < y.length; i++) fill(y[i]!, eta, i * outputs, curvature)
  const gram = await gatherGram(rows, coordinates, curvature, engine)
  return { coordinates, gram }
}

/** Whether it knows all of these. */
export function isCovered({ coordinates }: NewtonModel, { outputs, columns }: Coordinates): boolean {
  const known = new Set(Array.from(coordinates.columns, (j, a) => keyOf(coordinates.outputs[a]!, j)))
  return columns.every((j, a) => known.has(keyOf(outputs[a]!, j)))
}

const keyOf = (output: number, column: number): number => output * 2 ** 32 + column

/**
 * With what the gradients at both ends of a step say of the second derivative between them, in place: a stale one so
 * keeps up with the path. All of it is scaled to the curvature that was seen (Oren and Luenberger 1974), as the weights of
 * rows grow and fall together, and then made right along the step (BFGS: Nocedal and Wright 2006, eq. 6.19).
 */
export function correct({ coordinates, gram }: NewtonModel, from: State, to: State): void {
  const { outputs, columns } = coordinates
  const start = valuesAt(coordinates, from)
  const move = valuesAt(coordinates, to).map((v, a) => v - start[a]!)
  const m = columns.length
  const p = from.beta.length / from.intercepts.length
  const bent = new Float64Array(m)
  for (let a = 0; a < m; a++) if (move[a] !== 0) for (let b = 0; b < m; b++) bent[b]! += move[a]! * gram[a * m + b]!
  const known = [from, to].flatMap((state) => (state.columns === null ? [] : [new Set(state.columns)]))
  // Where the gradient is not known at both ends, nothing is learnt.
  const change = Float64Array.from({ length: m }, (_, a) => {
    if (columns[a]! < 0) return to.interceptGradient[outputs[a]!]! - from.interceptGradient[outputs[a]!]!
    if (!known.every((has) => has.has(columns[a]!))) return bent[a]!
    const at = outputs[a]! * p + columns[a]!
    return to.gradient[at]! - from.gradient[at]!
  })
  const [told, seen] = [dot(move, bent), dot(move, change)]
  if (!(told > 0 && seen > TOO_FLAT * told)) return
  const scale = seen / told
  for (let a = 0; a < m; a++) {
    const [u, v] = [bent[a]! / told, change[a]! / seen]
    for (let b = 0; b < m; b++) gram[a * m + b] = scale * (gram[a * m + b]! - u * bent[b]!) + v * change[b]!
  }
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0)

/** A curvature along a step, to the one that was known, that is rounding. */
const TOO_FLAT = 1e-8

/** Of these coordinates. */
export function valuesAt({ outputs, columns }: Coordinates, { beta, intercepts }: Coefficients): Float64Array {
  const p = beta.length / intercepts.length
  return Float64Array.from(columns, (j, a) => (j < 0 ? intercepts[outputs[a]!]! : beta[outputs[a]! * p + j]!))
}

export interface ModelOptions {
  /** Columns that move, null for all; all else is at zero, and stays there. */
  readonly columns: Int32Array | null
  /** Violation of the optimality conditions at which the model counts as solved. */
  readonly tolerance: number
  readonly maxPasses: number
}

/** The coordinates, in the order of the model, where it is least: ½ dᵀHd + gᵀd + penalty(β + d). */
export function minimize(
  { coordinates, gram }: NewtonModel,
  penalized: Penalized,
  state: State,
  { columns: moving, tolerance, maxPasses }: ModelOptions,
): Float64Array {
  const { outputs, columns } = coordinates
  const may = moving && new Set(moving)
  const m = columns.length
  const p = state.beta.length / state.intercepts.length
  const place = (a: number): number => outputs[a]! * p + columns[a]!
  const isIntercept = (a: number): boolean => columns[a]! < 0
  const from = valuesAt(coordinates, state)
  const pull = Float64Array.from({ length: m }, (_, a) =>
    isIntercept(a) ? -state.interceptGradient[outputs[a]!]! : -state.gradient[place(a)]!,
  )
  const q = pull.slice()
  for (let a = 0; a < m; a++) {
    if (from[a] === 0) continue
    for (let b = 0; b < m; b++) q[b]! += from[a]! * gram[a * m + b]!
  }
  const pick = (values: Float64Array, otherwise: number): Float64Array =>
    Float64Array.from({ length: m }, (_, a) => (isIntercept(a) ? otherwise : values[place(a)]!))
  const held = (v: number, a: number): number => (isIntercept(a) || may === null || may.has(columns[a]!) ? v : 0)
  const part: Penalized = {
    // At a threshold rounding decides: what lies on it stays at zero, and what is below comes over it clearly.
    l1: pick(penalized.l1, 0).map((v, a) => {
      if (from[a] !== 0) return v
      return v * (1 + (Math.abs(pull[a]!) > v ? ON_THRESHOLD : BELOW_THRESHOLD))
    }),
    l2: pick(penalized.l2, 0),
    lower: pick(penalized.lower, Number.NEGATIVE_INFINITY).map(held),
    upper: pick(penalized.upper, Number.POSITIVE_INFINITY).map(held),
  }
  const start: Fit = { beta: from, residual: pull, passes: 0 }
  // The model is of no data: its least value has no dual.
  const limits = { tolerance: tolerance ** 2, maxPasses, stop: 'violation' } as const
  return solveGram({ gram, q, yy: 2 }, part, start, limits).beta
}

/**
 * Coordinates of some predictors that should move: intercepts, what is not zero, and of what would not stay zero the worst,
 * so that a first guess of many columns does not cost their Gram matrix.
 */
export function workingSet(
  { hasIntercept, datafit }: Objective,
  penalized: Penalized,
  { beta, gradient }: State,
  block: readonly number[],
): Coordinates {
  const p = beta.length / datafit.outputs
  const places = placesOf(block, p)
  const moving = places.filter((at) => beta[at] !== 0)
  const waiting = worst(
    places.filter((at) => beta[at] === 0),
    (at) => violationOf(penalized, 0, -gradient[at]!, at),
    Math.max(FIRST, 2 * moving.length),
  )
  return coordinatesOf(hasIntercept ? block : [], [...moving, ...waiting], p)
}

/** With those that are the next ones to move: as many again, or all if few are left then, and `most` in all, at most. */
export function widened(
  { datafit }: Objective,
  penalized: Penalized,
  { gradient }: State,
  block: readonly number[],
  { working, most }: { readonly working: Coordinates; readonly most: number },
): Coordinates {
  const p = gradient.length / datafit.outputs
  const has = new Set(Array.from(working.columns, (j, a) => keyOf(working.outputs[a]!, j)))
  const free = lowered(penalized, 0)
  const others = placesOf(block, p).filter((at) => !has.has(keyOf(Math.floor(at / p), at % p)))
  const again = Math.max(FIRST, working.columns.length)
  const next = worst(
    others,
    (at) => violationOf(free, 0, -gradient[at]!, at),
    Math.max(0, Math.min(again < FEW_LEFT * others.length ? again : others.length, most - working.columns.length)),
  )
  const more = coordinatesOf([], next, p)
  return {
    outputs: Int32Array.from([...working.outputs, ...more.outputs]),
    columns: Int32Array.from([...working.columns, ...more.columns]),
  }
}

/** With a part of its l1 penalties. */
const lowered = (penalized: Penalized, part: number): Penalized => ({
  ...penalized,
  l1: penalized.l1.map((v) => part * v),
})

/** Columns of a model that move, or that would were the penalty `NEAR` of what it is: each once. */
export function nearColumns(
  { coordinates: { outputs, columns } }: NewtonModel,
  penalized: Penalized,
  { beta, gradient, intercepts }: State,
): Int32Array {
  const p = beta.length / intercepts.length
  const weak = lowered(penalized, NEAR)
  const isNear = (at: number): boolean => beta[at] !== 0 || violationOf(weak, 0, -gradient[at]!, at) > 0
  return Int32Array.from(new Set(columns.filter((j, a) => j >= 0 && isNear(outputs[a]! * p + j)))).sort()
}

const NEAR = 0.7

const placesOf = (block: readonly number[], p: number): readonly number[] =>
  block.flatMap((k) => Array.from({ length: p }, (_, j) => k * p + j))

/** At most so many, with the largest sizes, none of 0. */
function worst(places: readonly number[], sizeOf: (at: number) => number, most: number): readonly number[] {
  const sized = places.map((at) => ({ at, size: sizeOf(at) })).filter(({ size }) => size > 0)
  if (sized.length > most) sized.sort((a, b) => b.size - a.size)
  return sized.slice(0, most).map(({ at }) => at)
}

const coordinatesOf = (heads: readonly number[], places: readonly number[], p: number): Coordinates => ({
  outputs: Int32Array.from([...heads, ...places.map((at) => Math.floor(at / p))]),
  columns: Int32Array.from([...heads.map(() => -1), ...places.map((at) => at % p)]),
})

/** Columns that may join at once, at least. */
const FIRST = 64

/** Part of the columns that makes the others few. */
const FEW_LEFT = 0.7

/** Of a threshold, relative. */
const ON_THRESHOLD = 1e-12
const BELOW_THRESHOLD = 1e-6
