/** The quadratic model of a generalized linear model around a point, on the coordinates that move. */

import type { Objective, State } from '../objective.js'
import { type Fit, type Penalized, violationOf } from '../quadratic.js'
import { type Coordinates, weightedGram } from '../rows.js'
import { solveGram } from './gram.js'

/** The second derivative where it was last computed, on coordinates that may be more than those that move now. */
export interface NewtonModel {
  readonly coordinates: Coordinates
  /** XᵀWX: [m, m] */
  readonly gram: Float64Array
  /** W [n, K, K], so that columns can join later. */
  readonly curvature: Float64Array
}

/** Fresh, on these coordinates; by the second derivative itself where the curvature of the datafit is a bound. */
export function newtonModel(
  { rows, datafit, y }: Objective,
  { eta }: State,
  coordinates: Coordinates,
  isSecond: boolean,
): NewtonModel {
  const { outputs } = datafit
  const curvature = new Float64Array(y.length * outputs * outputs)
  const fill = (isSecond && datafit.second) || datafit.curvature
  for (let i = 0; i < y.length; i++) fill(y[i]!, eta, i * outputs, curvature)
  return { coordinates, curvature, gram: weightedGram(rows, coordinates, curvature) }
}

/** With coordinates that it did not have, from the same second derivative. */
export function extendedModel({ rows }: Objective, model: NewtonModel, wanted: Coordinates): NewtonModel {
  const has = new Set(Array.from(model.coordinates.columns, (j, a) => keyOf(model.coordinates.outputs[a]!, j)))
  const missing = [...wanted.columns.keys()].filter((a) => !has.has(keyOf(wanted.outputs[a]!, wanted.columns[a]!)))
  if (missing.length === 0) return model
  const join = (a: Int32Array, b: Int32Array): Int32Array => Int32Array.from([...a, ...missing.map((i) => b[i]!)])
  const coordinates = {
    outputs: join(model.coordinates.outputs, wanted.outputs),
    columns: join(model.coordinates.columns, wanted.columns),
  }
  const known = { gram: model.gram, size: model.coordinates.columns.length }
  return { coordinates, curvature: model.curvature, gram: weightedGram(rows, coordinates, model.curvature, known) }
}

const keyOf = (output: number, column: number): string => `${output},${column}`

export interface ModelOptions {
  /** Violation of the optimality conditions at which the model counts as solved. */
  readonly tolerance: number
  readonly maxPasses: number
}

/** By how much each coordinate of the model moves to its minimum: ½ dᵀHd + gᵀd + penalty(β + d). */
export function minimize(
  { coordinates, gram }: NewtonModel,
  penalized: Penalized,
  state: State,
  { tolerance, maxPasses }: ModelOptions,
): Float64Array {
  const { outputs, columns } = coordinates
  const m = columns.length
  const p = state.beta.length / state.intercepts.length
  const place = (a: number): number => outputs[a]! * p + columns[a]!
  const isIntercept = (a: number): boolean => columns[a]! < 0
  const from = Float64Array.from({ length: m }, (_, a) =>
    isIntercept(a) ? state.intercepts[outputs[a]!]! : state.beta[place(a)]!,
  )
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
  const part: Penalized = {
    l1: pick(penalized.l1, 0),
    l2: pick(penalized.l2, 0),
    lower: pick(penalized.lower, Number.NEGATIVE_INFINITY),
    upper: pick(penalized.upper, Number.POSITIVE_INFINITY),
  }
  const start: Fit = { beta: from, residual: pull, passes: 0 }
  // The model is of no data: its least value has no dual.
  const limits = { tolerance: tolerance ** 2, maxPasses, stop: 'violation' } as const
  const fit = solveGram({ gram, q, yy: 2 }, part, start, limits)
  return fit.beta.map((v, a) => v - from[a]!)
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
  const moving: number[] = []
  const waiting: { readonly at: number; readonly size: number }[] = []
  for (const k of block) {
    for (let at = k * p; at < (k + 1) * p; at++) {
      if (beta[at] !== 0) moving.push(at)
      else {
        const size = violationOf(penalized, 0, -gradient[at]!, at)
        if (size > 0) waiting.push({ at, size })
      }
    }
  }
  const room = Math.max(FIRST, 2 * moving.length)
  if (waiting.length > room) waiting.sort((a, b) => b.size - a.size)
  const all = [...moving, ...waiting.slice(0, room).map(({ at }) => at)]
  const heads = hasIntercept ? block : []
  return {
    outputs: Int32Array.from([...heads, ...all.map((at) => Math.floor(at / p))]),
    columns: Int32Array.from([...heads.map(() => -1), ...all.map((at) => at % p)]),
  }
}

/** Columns that may join at once, at least. */
const FIRST = 64
