/**
 * The objective of a penalised generalized linear model, Σ ωᵢ f(yᵢ, ηᵢ) + Σ aⱼ|βⱼ| + ½ Σ bⱼβⱼ² with
 * η = offset + intercept + Xβ, where it stands, and what proves that it is solved.
 */

import { openSum } from '../util/sums.js'
import type { Datafit, RowLoops } from './datafits/datafit.js'
import { type Penalized, violationOf } from './quadratic.js'
import { addGradients, type Coefficients, sweep, type TiledRows } from './rows.js'

export interface Objective {
  readonly rows: TiledRows
  readonly datafit: Datafit
  /** Of the datafit. */
  readonly loops: RowLoops
  /** By position in `rows.index`. */
  readonly y: Float64Array
  /** [n, K] */
  readonly offset: Float64Array | null
  readonly hasIntercept: boolean
}

/** What a search knows of a point. */
export interface Evaluation {
  /** Σ ωᵢ f */
  readonly loss: number
  /** Of the loss: [K, p] and [K]. */
  readonly gradient: Float64Array
  readonly interceptGradient: Float64Array
}

export interface State extends Coefficients, Evaluation {
  /** [n, K], and ∂f/∂η there. */
  readonly eta: Float64Array
  readonly slopes: Float64Array
  /** Those whose gradient this is; that of the others is a guess. Null where it is of all. */
  readonly columns: Int32Array | null
}

/** In one reading of X; the gradient of some columns alone, where given, and elsewhere what it was. */
export function stateAt(
  objective: Objective,
  point: Coefficients,
  part: { readonly columns: Int32Array; readonly before: State } | null = null,
): State {
  const { rows, datafit, loops, y, offset } = objective
  const loss = openSum()
  const respond = (eta: Float64Array, slopes: Float64Array, from: number, to: number): void => {
    loss.add(loops.respond({ y, shares: rows.shares }, eta, slopes, from, to))
  }
  const gradient = part === null ? new Float64Array(point.beta.length) : part.before.gradient.slice()
  const columns = part?.columns ?? null
  const found = sweep(rows, point, { offset, respond, columns, gradient })
  const interceptGradient = meanSlopes(rows, found.slopes, datafit.outputs)
  return { ...point, ...found, gradient, interceptGradient, loss: loss.end(), columns }
}

/** Where the predictors are known. */
export function stateOf(objective: Objective, point: Coefficients, eta: Float64Array): State {
  const here = responseAt(objective, eta)
  return { ...point, ...here, gradient: gradientAt(objective, here.slopes), columns: null }
}

/** Predictors of a point, in double precision. */
export function predictorsAt({ rows, offset }: Objective, point: Coefficients): Float64Array {
  const nothing = { respond: () => {}, columns: new Int32Array(0), gradient: new Float64Array(0) }
  return sweep(rows, point, { offset, ...nothing }).eta
}

/** Σ ωᵢ sᵢ xᵢᵀ [K, p] of slopes [n, K]. */
function gradientAt({ rows, datafit }: Objective, slopes: Float64Array): Float64Array {
  const gradient = new Float64Array(datafit.outputs * rows.x.columns)
  addGradients(rows, slopes, null, gradient)
  return gradient
}

/** What predictors say by themselves: all of a state but the gradient. */
function responseAt({ rows, datafit, loops, y }: Objective, eta: Float64Array) {
  const slopes = new Float64Array(eta.length)
  const loss = loops.respond({ y, shares: rows.shares }, eta, slopes, 0, y.length)
  return { eta, slopes, loss, interceptGradient: meanSlopes(rows, slopes, datafit.outputs) }
}

/** With the gradient of all columns. */
export const completed = (objective: Objective, state: State): State =>
  state.columns === null ? state : refreshed(objective, state, null)

/** With the gradient of some more columns, or of all. */
export function refreshed({ rows }: Objective, state: State, more: Int32Array | null): State {
  const has = new Set(state.columns)
  const missing = (more ?? Int32Array.from({ length: rows.x.columns }, (_, j) => j)).filter((j) => !has.has(j))
  const gradient = state.gradient.slice()
  addGradients(rows, state.slopes, missing, gradient)
  return { ...state, gradient, columns: more && Int32Array.from([...has, ...missing]).sort() }
}

export function lossOf({ rows, datafit, y }: Objective, eta: Float64Array): number {
  const sum = openSum()
  for (let i = 0; i < y.length; i++) sum.add(rows.shares[i]! * datafit.loss(y[i]!, eta, i * datafit.outputs))
  return sum.end()
}

function meanSlopes({ shares }: TiledRows, slopes: Float64Array, outputs: number): Float64Array {
  const means = new Float64Array(outputs)
  for (let i = 0, at = 0; i < shares.length; i++)
    for (let k = 0; k < outputs; k++) means[k]! += shares[i]! * slopes[at++]!
  return means
}

/** Σ ωᵢ of the least losses there can be: the deviance is 2 (loss − this). */
export function saturatedLoss({ rows, datafit, y }: Objective): number {
  const sum = openSum()
  for (let i = 0; i < y.length; i++) sum.add(rows.shares[i]! * datafit.saturated(y[i]!))
  return sum.end()
}

export function penaltyOf({ l1, l2 }: Penalized, beta: Float64Array): number {
  let sum = 0
  for (let j = 0; j < beta.length; j++)
    if (beta[j] !== 0) sum += l1[j]! * Math.abs(beta[j]!) + 0.5 * l2[j]! * beta[j]! ** 2
  return sum
}

/** The largest violation of the optimality conditions, of the intercepts too. */
export function violationAt({ hasIntercept }: Objective, penalized: Penalized, state: State): number {
  let largest = 0
  if (hasIntercept) for (const g of state.interceptGradient) largest = Math.max(largest, Math.abs(g))
  for (let j = 0; j < state.beta.length; j++)
    largest = Math.max(largest, violationOf(penalized, state.beta[j]!, -state.gradient[j]!, j))
  return largest
}

/**
 * An upper bound of how far the objective is from its least value, by Fenchel duality (Rockafellar 1970, thm. 31.3): with
 * v = s ∂f/∂η the dual value is −Σ ωᵢ (f*(vᵢ) − vᵢᵀ offsetᵢ) − Σ h*(−Σ ωᵢ vᵢ xᵢⱼ), h* the conjugate of a column's penalty
 * within its bounds, and s ≤ 1 the largest that keeps it finite. An intercept asks for Σ ωᵢ vᵢ = 0: as the columns are
 * centred, taking the mean off v changes no h*. Where that takes v out of the domain of f*, what is put back is charged
 * with the size of the coefficients. NaN where a column has no penalty at all: then no v is known.
 */
export function dualityGapAt(objective: Objective, penalized: Penalized, state: State): number {
  const { rows, datafit, loops, y, offset, hasIntercept } = objective
  const { outputs } = datafit
  const scale = dualScale(penalized, state.gradient)
  if (Number.isNaN(scale)) return Number.NaN
  const { shares } = rows
  const v = new Float64Array(state.slopes.length)
  for (let k = 0; k < outputs; k++) {
    const mean = hasIntercept ? state.interceptGradient[k]! : 0
    for (let at = k; at < v.length; at += outputs) v[at] = scale * (state.slopes[at]! - mean)
  }
  let dual = -loops.conjugate({ y, shares }, v, 0, y.length)
  if (offset !== null)
    for (let i = 0, at = 0; i < y.length; i++)
      for (let k = 0; k < outputs; k++, at++) dual += shares[i]! * v[at]! * offset[at]!
  const left = meanSlopes(rows, v, outputs)
  let size = 1
  for (let j = 0; j < state.beta.length; j++) {
    dual -= penaltyConjugate(penalized, -scale * state.gradient[j]!, j)
    size += Math.abs(state.beta[j]!)
  }
  const charge = hasIntercept
    ? left.reduce((sum, d, k) => sum + Math.abs(d) * (size + Math.abs(state.intercepts[k]!)), 0)
    : 0
  return Math.max(0, state.loss + penaltyOf(penalized, state.beta) - dual) + charge
}

/**
 * About what the gap is at least, without a sum over rows: at s = 1 the dual value rises by Σ aⱼ|βⱼ| per unit of s. 0
 * where s is not known.
 */
export function scalingLoss(penalized: Penalized, { beta, gradient }: State): number {
  const scale = dualScale(penalized, gradient)
  let penalty = 0
  for (let j = 0; j < beta.length; j++) penalty += penalized.l1[j]! * Math.abs(beta[j]!)
  return Number.isNaN(scale) ? 0 : (1 - scale) * penalty
}

/** The largest s ≤ 1 with h*(−s gⱼ) finite for all columns; NaN where it is 0 for want of a penalty. */
function dualScale({ l1, l2, lower, upper }: Penalized, gradient: Float64Array): number {
  let scale = 1
  for (let j = 0; j < gradient.length; j++) {
    const pull = -gradient[j]!
    const isHeld = pull === 0 || l2[j]! > 0 || Number.isFinite(pull > 0 ? upper[j]! : lower[j]!)
    if (isHeld) continue
    if (l1[j] === 0) return Number.NaN
    scale = Math.min(scale, l1[j]! / Math.abs(pull))
  }
  return scale
}

/** sup over lower ≤ β ≤ upper of vβ − a|β| − ½bβ² */
function penaltyConjugate({ l1, l2, lower, upper }: Penalized, v: number, j: number): number {
  const over = Math.abs(v) - l1[j]!
  if (!(over > 0)) return 0
  const bound = v > 0 ? upper[j]! : -lower[j]!
  const free = l2[j]! > 0 ? over / l2[j]! : Number.POSITIVE_INFINITY
  const best = Math.min(free, bound)
  // Rounding alone: `dualScale` has taken care of the rest.
  if (best === Number.POSITIVE_INFINITY) return 0
  return over * best - 0.5 * l2[j]! * best * best
}
