/**
 * Proximal Newton (Lee, Sun and Saunders 2014, algorithm 1) on a working set, with a second derivative that is kept as
 * long as it serves: the gradient is exact at each step, so a stale one costs steps and never the answer.
 */

import type { Engine } from '../../engine/engine.js'
import { throwIfAborted } from '../../engine/failures.js'
import { checkTraits } from '../datafits/datafit.js'
import {
  completed,
  dualityGapAt,
  lossOf,
  type Objective,
  penaltyOf,
  refreshed,
  type State,
  scalingLoss,
  stateAt,
  stateOf,
  violationAt,
} from '../objective.js'
import { type Penalized, violationOf } from '../quadratic.js'
import type { Coordinates } from '../rows.js'
import { bounded, type Known, resolved, withState } from './far-columns.js'
import {
  correct,
  isCovered,
  minimize,
  type NewtonModel,
  nearColumns,
  newtonModel,
  valuesAt,
  widened,
  workingSet,
} from './newton-model.js'

export interface NewtonOptions {
  /** Largest duality gap, as a part of `scale`; where there is none the largest violation squared, as a part of it. */
  readonly tolerance: number
  readonly scale: number
  /** Steps, at most. */
  readonly maxIterations: number
  /** Passes of coordinate descent for one step, at most. */
  readonly maxPasses: number
  readonly signal?: AbortSignal | undefined
  /** For the second derivative of many rows. */
  readonly engine?: Engine | undefined
}

export interface NewtonResult {
  readonly state: State
  /** By block of predictors; kept for the next strength. */
  readonly models: readonly (NewtonModel | null)[]
  /** Points whose gradients bound others; the same. */
  readonly known: Known | null
  /** NaN where there is none. */
  readonly dualGap: number
  readonly iterations: number
  readonly refreshes: number
  /** `separated`: a larger model is always better, so there is no best one. `stalled`: the numbers allow no more. */
  readonly ended: 'solved' | 'stalled' | 'separated' | 'exhausted'
}

/** A step that leaves more than this part of the violation asks for a fresh second derivative. */
const CONTRACTION = 0.3
/** Part of the decrease that the model promises (Lee, Sun and Saunders 2014, eq. 2.18). */
const ARMIJO = 1e-4
/** Coordinates up to which the predictors of a row move together, over the full K x K blocks of W. */
export const TOGETHER = 600
/** Of a sum over rows, relative. */
const ROUNDING = 1e-14

/** Throws `DATAFIT_SOLVER`. */
export async function proxNewton(
  objective: Objective,
  penalized: Penalized,
  start: State,
  before: Pick<NewtonResult, 'models' | 'known'>,
  options: NewtonOptions,
): Promise<NewtonResult> {
  checkTraits('prox-newton', ['curvature'], objective.datafit)
  const { tolerance, scale, maxIterations, maxPasses } = options
  let state = start
  let known = withState(objective, before.known, start)
  let blocks = blocksOf(
    objective,
    workingSet(objective, penalized, start, outputsOf(objective)).columns.length,
    before.models,
  )
  let [refreshes, stalls, promised] = [0, 0, Number.POSITIVE_INFINITY]
  for (let iterations = 0; ; iterations++) {
    throwIfAborted(options.signal)
    const done = (ended: NewtonResult['ended'], gap: number | null = null): NewtonResult => {
      if (gap === null) state = completed(objective, state)
      const models = blocks.map((b) => b.model)
      const dualGap = gap ?? dualityGapAt(objective, penalized, state)
      return { state, models, known: withState(objective, known, state), dualGap, iterations, refreshes, ended }
    }
    if (iterations > 0 && isSeparated(objective, penalized, state)) return done('separated')
    const most = tolerance * scale
    let gap = gapIfSolved(objective, penalized, state, promised, most)
    if (gap !== null && state.columns !== null) {
      // Columns that were left out of the last steps have a say in this, if they can be above their threshold.
      const guess = bounded(objective, penalized, state, known)
      state = guess.state
      if (guess.doubtful.length > 0) {
        state = resolved(objective, state, guess.doubtful)
        known = withState(objective, known, state)
        // Those below their threshold have none.
        if (violationOn(guess.doubtful, penalized, state) > 0)
          gap = gapIfSolved(objective, penalized, state, promised, most)
      }
    }
    if (gap !== null) return done('solved', gap)
    if (iterations === maxIterations) return done('exhausted')
    if (stalls >= 2 * blocks.length) return done('stalled')
    const first = workingSet(objective, penalized, state, blocks[iterations % blocks.length]!.outputs)
    if (blocks.length === 1) blocks = blocksOf(objective, first.columns.length, [blocks[0]!.model], blocks)
    const block = blocks[iterations % blocks.length]!
    const working = blocks.length === 1 ? first : workingSet(objective, penalized, state, block.outputs)
    if (block.model === null || !isCovered(block.model, working)) {
      if (state.columns !== null) {
        // What the model is to be of is chosen by the gradient of all.
        state = completed(objective, state)
        known = withState(objective, known, state)
        iterations--
        continue
      }
      const most = block.outputs.length === 1 ? Number.POSITIVE_INFINITY : TOGETHER
      const wide = widened(objective, penalized, state, block.outputs, { working, most })
      block.model = await newtonModel(objective, state, wide, { isSecond: block.isSecond, engine: options.engine })
      block.isFresh = true
      refreshes++
    }
    const { model } = block
    const wrong = violationIn(working, penalized, state)
    // Those near the threshold move too: they may come to pull on the way.
    const columns = blocks.length === 1 ? nearColumns(model, penalized, state) : null
    // Of these a guess would not do.
    if (columns !== null && state.columns !== null) state = refreshed(objective, state, columns)
    const target = minimize(model, penalized, state, { columns, tolerance: 0.01 * wrong, maxPasses })
    const next = lineSearch(objective, penalized, state, model, { target, columns })
    if (next === null) {
      // Nothing to gain with a fresh second derivative is nothing to gain.
      if (block.isFresh && !block.isSecond) stalls++
      Object.assign(block, { model: null, isSecond: false })
      continue
    }
    // Of what moved: others that begin to pull are not the model's fault.
    const left = violationIn(working, penalized, next.state)
    stalls = next.gain <= ROUNDING * Math.abs(state.loss) && left > 0.5 * wrong ? stalls + 1 : 0
    correct(model, state, next.state)
    ;({ state, promised } = next)
    const lags = left > CONTRACTION * wrong || next.part < 1
    if (lags && block.isFresh) block.isSecond = !block.isSecond
    if (lags) block.model = null
    block.isFresh = false
  }
}

/** Predictors that move together, and what is known of their second derivative. */
interface Block {
  readonly outputs: readonly number[]
  model: NewtonModel | null
  isFresh: boolean
  /** A bound goes down surely and slowly, the second derivative fast or not at all: one is tried where the other lags. */
  isSecond: boolean
}

const outputsOf = ({ datafit }: Objective): readonly number[] => Array.from({ length: datafit.outputs }, (_, k) => k)

/** All in one, or, where there is too much to move, one after the other in turn. */
function blocksOf(
  objective: Objective,
  size: number,
  before: readonly (NewtonModel | null)[],
  now: readonly Block[] | null = null,
): readonly Block[] {
  const all = outputsOf(objective)
  const parts = size <= TOGETHER || all.length === 1 ? [all] : all.map((k) => [k])
  if (now !== null && now.length === parts.length) return now
  const models = before.length === parts.length ? before : parts.map(() => null)
  return parts.map((outputs, b) => ({ outputs, model: models[b]!, isFresh: false, isSecond: false }))
}

/**
 * The gap, NaN where there is none; null where it is not small enough. Without a gap a small gradient alone is not enough,
 * as losses are flat far out: the last step must have promised little.
 */
function gapIfSolved(
  objective: Objective,
  penalized: Penalized,
  state: State,
  promised: number,
  most: number,
): number | null {
  if (0.5 * scalingLoss(penalized, state) > most) return null
  const gap = dualityGapAt(objective, penalized, state)
  const isSmall = Number.isNaN(gap)
    ? promised <= most && violationAt(objective, penalized, state) ** 2 <= most
    : gap <= most
  return isSmall ? gap : null
}

/** The largest of these columns, over all predictors. */
function violationOn(columns: Int32Array, penalized: Penalized, { beta, gradient, intercepts }: State): number {
  const p = beta.length / intercepts.length
  let largest = 0
  for (const j of columns)
    for (let at = j; at < beta.length; at += p)
      largest = Math.max(largest, violationOf(penalized, beta[at]!, -gradient[at]!, at))
  return largest
}

function violationIn({ outputs, columns }: Coordinates, penalized: Penalized, state: State): number {
  const p = state.beta.length / state.intercepts.length
  let largest = 0
  for (let a = 0; a < columns.length; a++) {
    const at = outputs[a]! * p + columns[a]!
    const size =
      columns[a]! < 0
        ? Math.abs(state.interceptGradient[outputs[a]!]!)
        : violationOf(penalized, state.beta[at]!, -state.gradient[at]!, at)
    largest = Math.max(largest, size)
  }
  return largest
}

interface Step {
  readonly state: State
  /** Part of the move that was made. */
  readonly part: number
  readonly gain: number
  /** What the whole move would gain by the model, at least. */
  readonly promised: number
}

/** The first step of 1, ½, ¼ … that keeps what the model promises; null where it promises nothing, or no step does. */
function lineSearch(
  objective: Objective,
  penalized: Penalized,
  state: State,
  { coordinates }: NewtonModel,
  { target, columns: wanted }: { readonly target: Float64Array; readonly columns: Int32Array | null },
): Step | null {
  const { outputs, columns } = coordinates
  const p = state.beta.length / state.intercepts.length
  const from = valuesAt(coordinates, state)
  const point = (step: number) => {
    const [beta, intercepts] = [state.beta.slice(), state.intercepts.slice()]
    for (let a = 0; a < target.length; a++) {
      // The whole way exactly, which may end at a bound.
      const value = step === 1 ? target[a]! : from[a]! + step * (target[a]! - from[a]!)
      if (columns[a]! < 0) intercepts[outputs[a]!] = value
      else beta[outputs[a]! * p + columns[a]!] = value
    }
    return { beta, intercepts }
  }
  const penalty = penaltyOf(penalized, state.beta)
  const value = state.loss + penalty
  const full = point(1)
  // Coordinate by coordinate, where slope and penalty cancel: the sums of each are too large to tell.
  let promised = 0
  for (let a = 0; a < target.length; a++) {
    const k = outputs[a]!
    const move = target[a]! - from[a]!
    if (columns[a]! < 0) promised += state.interceptGradient[k]! * move
    else {
      const at = k * p + columns[a]!
      const to = full.beta[at]!
      promised += state.gradient[at]! * move + penalized.l1[at]! * (Math.abs(to) - Math.abs(from[a]!))
      promised += 0.5 * penalized.l2[at]! * move * (to + from[a]!)
    }
  }
  if (!(promised < 0)) return null
  const slack = ROUNDING * Math.abs(state.loss)
  const first = stateAt(objective, full, wanted && { columns: wanted, before: state })
  const after = first.loss + penaltyOf(penalized, full.beta)
  if (after <= value + ARMIJO * promised + slack)
    return { state: first, part: 1, gain: value - after, promised: -promised }
  // Predictors are linear in the step, so trying shorter ones does not read X.
  for (let step = 0.5; step > 1e-10; step *= 0.5) {
    const next = point(step)
    const eta = state.eta.map((v, i) => v + step * (first.eta[i]! - v))
    const now = lossOf(objective, eta) + penaltyOf(penalized, next.beta)
    if (now <= value + step * ARMIJO * promised + slack)
      return { state: stateOf(objective, next, eta), part: step, gain: value - now, promised: -promised }
  }
  return null
}

/**
 * Whether all rows are on the right side by what nothing holds: then the same, larger, is better without end (Albert and
 * Anderson 1984, thm. 1).
 */
function isSeparated({ datafit, y, offset }: Objective, { l1, l2, lower, upper }: Penalized, state: State): boolean {
  if (datafit.margin === undefined) return false
  for (let j = 0; j < state.beta.length; j++) {
    if (state.beta[j] === 0) continue
    if (l1[j]! > 0 || l2[j]! > 0 || Number.isFinite(state.beta[j]! > 0 ? upper[j]! : lower[j]!)) return false
  }
  const eta = offset === null ? state.eta : state.eta.map((v, i) => v - offset[i]!)
  for (let i = 0; i < y.length; i++) if (!(datafit.margin(y[i]!, eta, i * datafit.outputs) > 0)) return false
  return true
}
