/**
 * L-BFGS for penalties without a kink where there are too many coefficients for second derivatives: softmax with a ridge.
 * The steps are found in float32 on the engine while that serves; what ends the search is the gap in double precision.
 */

import { throwIfAborted } from '../../engine/failures.js'
import { lbfgs, type Point } from '../../linalg/lbfgs.js'
import { bestIntercepts } from '../intercepts.js'
import {
  dualityGapAt,
  gradientAt,
  type Objective,
  penaltyOf,
  predictorsAt,
  responseAt,
  type State,
} from '../objective.js'
import type { Penalized } from '../quadratic.js'
import type { RowProducts } from '../row-products.js'
import type { Coefficients } from '../rows.js'
import { type NewtonOptions, type NewtonResult, TOGETHER } from './prox-newton.js'

/** Whether it is made for this: nothing but ridges, and more coefficients than proximal Newton moves together. */
export function isSmooth({ datafit }: Objective, { l1, l2, lower, upper }: Penalized): boolean {
  let moving = 0
  for (let j = 0; j < l1.length; j++) {
    if (lower[j] === 0 && upper[j] === 0) continue
    const isFree = lower[j] === Number.NEGATIVE_INFINITY && upper[j] === Number.POSITIVE_INFINITY
    if (!isFree || l1[j] !== 0 || !(l2[j]! > 0)) return false
    moving++
  }
  return datafit.outputs > 1 && moving > TOGETHER
}

/** Pairs that the curvature is known by. */
const MEMORY = 10
/** Steps from one look at the gap to the next. */
const LOOK = 8

interface Here extends Point {
  readonly state: State
}

/** What a search computes with: products of six digits or of sixteen. */
interface Arithmetic {
  readonly predictors: (point: Coefficients) => Promise<Float64Array>
  readonly gradient: (slopes: Float64Array) => Promise<Float64Array>
}

export async function descendSmoothly(
  objective: Objective,
  penalized: Penalized,
  start: State,
  products: RowProducts | null,
  options: NewtonOptions,
): Promise<NewtonResult> {
  const exact = exactly(objective)
  const rough = products && (await search(objective, penalized, start, roughly(objective, products), options))
  const begin = rough ? await bestAt(objective, rough.state, exact) : start
  const { state, steps, ended } = await search(objective, penalized, begin, exact, options)
  const dualGap = dualityGapAt(objective, penalized, state)
  return { state, models: [], known: null, dualGap, iterations: (rough?.steps ?? 0) + steps, refreshes: 0, ended }
}

async function search(
  objective: Objective,
  penalized: Penalized,
  start: State,
  arithmetic: Arithmetic,
  { tolerance, scale, maxIterations, signal }: NewtonOptions,
): Promise<{ readonly state: State; readonly steps: number; readonly ended: NewtonResult['ended'] }> {
  const most = tolerance * scale
  const isClose = (state: State): boolean => dualityGapAt(objective, penalized, state) <= most
  if (isClose(start)) return { state: start, steps: 0, ended: 'solved' }
  const first = hereOf(objective, penalized, start)
  let before = Number.POSITIVE_INFINITY
  let found: State | null = null
  const { last, steps, ended } = await lbfgs(first, {
    iterations: 10 * maxIterations,
    memory: MEMORY,
    evaluate: async (w) => hereOf(objective, penalized, await stateBy(objective, pointOf(start, w), arithmetic)),
    async isDone({ loss, state }, step) {
      throwIfAborted(signal)
      if (step % LOOK !== 0) return false
      const gained = before - loss
      before = loss
      // What some steps have gained, as many more will hardly gain less of.
      if (gained > 10 * most) return false
      const best = await bestAt(objective, state, arithmetic)
      if (isClose(best)) found = best
      return found !== null
    },
  })
  if (found !== null) return { state: found, steps, ended: 'solved' }
  const state = await bestAt(objective, last.state, arithmetic)
  return { state, steps, ended: isClose(state) ? 'solved' : ended === 'stalled' ? 'stalled' : 'exhausted' }
}

/** All coefficients, then the intercepts; what is held at 0 and an intercept that is not wanted have no gradient. */
function hereOf({ hasIntercept }: Objective, penalized: Penalized, state: State): Here {
  const size = state.beta.length
  const w = new Float64Array(size + state.intercepts.length)
  w.set(state.beta)
  w.set(state.intercepts, size)
  const { l2, lower, upper } = penalized
  const g = new Float64Array(w.length)
  for (let at = 0; at < size; at++)
    if (lower[at] !== 0 || upper[at] !== 0) g[at] = state.gradient[at]! + l2[at]! * w[at]!
  if (hasIntercept) g.set(state.interceptGradient, size)
  return { w, g, loss: state.loss + penaltyOf(penalized, state.beta), state }
}

function pointOf({ beta }: Coefficients, w: Float64Array): Coefficients {
  return { beta: w.slice(0, beta.length), intercepts: w.slice(beta.length) }
}

const exactly = (objective: Objective): Arithmetic => ({
  predictors: async (point) => predictorsAt(objective, point),
  gradient: async (slopes) => gradientAt(objective, slopes),
})

function roughly({ offset }: Objective, products: RowProducts): Arithmetic {
  return {
    async predictors({ beta, intercepts }) {
      const eta = await products.predictors(beta)
      for (let at = 0, k = 0; at < eta.length; at++, k = at % intercepts.length)
        eta[at]! += intercepts[k]! + (offset === null ? 0 : offset[at]!)
      return eta
    },
    gradient: products.gradient,
  }
}

async function stateBy(objective: Objective, point: Coefficients, by: Arithmetic): Promise<State> {
  const here = responseAt(objective, await by.predictors(point))
  return { ...point, ...here, gradient: await by.gradient(here.slopes), columns: null }
}

/** The same coefficients with the best intercepts: mean slopes that are not 0 are what a gap is charged with most. */
async function bestAt(objective: Objective, { beta, intercepts }: Coefficients, by: Arithmetic): Promise<State> {
  const eta = await by.predictors({ beta, intercepts })
  const moved = objective.hasIntercept ? bestIntercepts(objective, eta) : new Float64Array(intercepts.length)
  const here = responseAt(objective, eta)
  const gradient = await by.gradient(here.slopes)
  return { beta, intercepts: intercepts.map((v, k) => v + moved[k]!), ...here, gradient, columns: null }
}
