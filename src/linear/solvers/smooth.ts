/**
 * L-BFGS for penalties without a kink where there are too many coefficients for second derivatives: softmax with a ridge.
 * The steps are found in float32 on the engine while that serves; what ends the search is the gap in double precision.
 */

import { throwIfAborted } from '../../engine/failures.js'
import { type LbfgsResult, lbfgs, type Point } from '../../linalg/lbfgs.js'
import { dualityGapAt, type Objective, penaltyOf, type State, stateAt } from '../objective.js'
import type { Penalized } from '../quadratic.js'
import type { RowProducts } from '../row-products.js'
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
const LOOK = 4

interface Here extends Point {
  readonly state: State
}

export async function descendSmoothly(
  objective: Objective,
  penalized: Penalized,
  start: State,
  products: RowProducts | null,
  { tolerance, scale, maxIterations, signal }: NewtonOptions,
): Promise<NewtonResult> {
  const most = tolerance * scale
  const isSolved = ({ state }: Here, steps: number): boolean => {
    throwIfAborted(signal)
    return steps % LOOK === 0 && dualityGapAt(objective, penalized, state) <= most
  }
  const search = (from: Here, evaluate: (point: State) => Promise<State>): Promise<LbfgsResult<Here>> =>
    lbfgs(from, {
      iterations: 10 * maxIterations,
      memory: MEMORY,
      isDone: isSolved,
      evaluate: async (w) => hereOf(objective, penalized, await evaluate({ ...from.state, ...pointOf(from.state, w) })),
    })
  const here = hereOf(objective, penalized, start)
  const rough = products && (await search(here, (point) => products.stateAt(objective, point)))
  const exact = async (point: State): Promise<State> => stateAt(objective, point)
  const middle = rough ? hereOf(objective, penalized, await exact(rough.last.state)) : here
  const { last, steps, ended } = await search(middle, exact)
  const { state } = last
  const isClose = dualityGapAt(objective, penalized, state) <= most
  return {
    state,
    models: [],
    iterations: (rough?.steps ?? 0) + steps,
    refreshes: 0,
    ended: isClose ? 'solved' : ended === 'stalled' ? 'stalled' : 'exhausted',
  }
}

/** All coefficients, then the intercepts; what is held at 0 and an intercept that is not wanted have no gradient. */
function hereOf({ hasIntercept }: Objective, penalized: Penalized, state: State): Here {
  const size = state.beta.length
  const w = new Float64Array(size + state.intercepts.length)
  w.set(state.beta)
  w.set(state.intercepts, size)
  const { l2, lower, upper } = penalized
  const g = w.map((v, at) => {
    if (at >= size) return hasIntercept ? state.interceptGradient[at - size]! : 0
    return lower[at] === 0 && upper[at] === 0 ? 0 : state.gradient[at]! + l2[at]! * v
  })
  return { w, g, loss: state.loss + penaltyOf(penalized, state.beta), state }
}

function pointOf({ beta }: State, w: Float64Array) {
  return { beta: w.slice(0, beta.length), intercepts: w.slice(beta.length) }
}
