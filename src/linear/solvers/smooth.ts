/**
 * L-BFGS for penalties without a kink where there are too many coefficients for second derivatives: softmax with a ridge.
 * The steps are found on the engine while that serves; what ends the search is the gap in double precision.
 */

import { throwIfAborted } from '../../engine/failures.js'
import { lbfgs, type Point } from '../../linalg/lbfgs.js'
import { rareTurns } from '../../util/turns.js'
import { bestIntercepts } from '../intercepts.js'
import {
  completed,
  dualityGapAt,
  type Evaluation,
  type Objective,
  penaltyOf,
  predictorsAt,
  type State,
  stateAt,
  stateOf,
} from '../objective.js'
import type { Penalized } from '../quadratic.js'
import type { Coefficients } from '../rows.js'
import type { SoftmaxEngine } from '../softmax-engine.js'
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
/** Part of the gap that is asked of the coefficients: making the intercepts best adds to it. Less where it was too much. */
const PART = 0.6

export async function descendSmoothly(
  objective: Objective,
  penalized: Penalized,
  start: State,
  softmax: SoftmaxEngine | null,
  options: NewtonOptions,
): Promise<NewtonResult> {
  const exactly = async (point: Coefficients): Promise<Evaluation> => stateAt(objective, point)
  let found: Found = { state: completed(objective, start), steps: 0, ended: 'stalled' }
  for (const evaluate of softmax === null ? [exactly] : [softmax.evaluate, exactly]) {
    const { state, steps, ended } = await search(objective, penalized, found.state, evaluate, options)
    found = { state, steps: found.steps + steps, ended }
    if (ended === 'solved') break
  }
  const { state, steps, ended } = found
  const dualGap = dualityGapAt(objective, penalized, state)
  return { state, models: [], known: null, dualGap, iterations: steps, refreshes: 0, ended }
}

interface Found {
  readonly state: State
  readonly steps: number
  readonly ended: 'solved' | 'stalled' | 'exhausted'
}

async function search(
  objective: Objective,
  penalized: Penalized,
  start: State,
  evaluate: (point: Coefficients) => Promise<Evaluation>,
  { tolerance, scale, maxIterations, signal }: NewtonOptions,
): Promise<Found> {
  const most = tolerance * scale
  const isClose = (state: State): boolean => dualityGapAt(objective, penalized, state) <= most
  if (isClose(start)) return { state: start, steps: 0, ended: 'solved' }
  const first = hereOf(objective, penalized, start, start)
  const turn = rareTurns()
  let asked = PART * most
  let found: State | null = null
  const { last, steps, ended } = await lbfgs(first, {
    iterations: 10 * maxIterations,
    memory: MEMORY,
    evaluate: async (w) => {
      const point = pointOf(start, w)
      return hereOf(objective, penalized, point, await evaluate(point))
    },
    async isDone({ w, g }) {
      await turn()
      throwIfAborted(signal)
      if (gapAt(penalized, g) > asked) return false
      const best = bestAt(objective, pointOf(start, w))
      if (isClose(best)) found = best
      else asked *= PART
      return found !== null
    },
  })
  if (found !== null) return { state: found, steps, ended: 'solved' }
  const state = bestAt(objective, pointOf(start, last.w))
  return { state, steps, ended: isClose(state) ? 'solved' : ended === 'stalled' ? 'stalled' : 'exhausted' }
}

/** All coefficients, then the intercepts; what is held at 0 and an intercept that is not wanted have no gradient. */
function hereOf(
  { hasIntercept }: Objective,
  penalized: Penalized,
  { beta, intercepts }: Coefficients,
  { loss, gradient, interceptGradient }: Evaluation,
): Point {
  const size = beta.length
  const w = new Float64Array(size + intercepts.length)
  w.set(beta)
  w.set(intercepts, size)
  const { l2, lower, upper } = penalized
  const g = new Float64Array(w.length)
  for (let at = 0; at < size; at++) if (lower[at] !== 0 || upper[at] !== 0) g[at] = gradient[at]! + l2[at]! * beta[at]!
  if (hasIntercept) g.set(interceptGradient, size)
  return { w, g, loss: loss + penaltyOf(penalized, beta) }
}

function pointOf({ beta }: Coefficients, w: Float64Array): Coefficients {
  return { beta: w.slice(0, beta.length), intercepts: w.slice(beta.length) }
}

/** Σ gⱼ² / 2bⱼ: the duality gap where the intercepts are best and no column is without a ridge. */
function gapAt({ l2 }: Penalized, g: Float64Array): number {
  let sum = 0
  for (let j = 0; j < l2.length; j++) if (g[j] !== 0) sum += (0.5 * g[j]! * g[j]!) / l2[j]!
  return sum
}

/** The same coefficients with the best intercepts: mean slopes that are not 0 are what a gap is charged with most. */
function bestAt(objective: Objective, { beta, intercepts }: Coefficients): State {
  const eta = predictorsAt(objective, { beta, intercepts })
  if (!objective.hasIntercept) return stateOf(objective, { beta, intercepts }, eta)
  const moved = bestIntercepts(objective, eta)
  return stateOf(objective, { beta, intercepts: intercepts.map((v, k) => v + moved[k]!) }, eta)
}
