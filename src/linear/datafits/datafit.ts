/**
 * What a datafit is: the loss f(y, η) of a row at its linear predictor η, and what solvers and certificates ask of it. A
 * row has one predictor, or K of them, which lie one after the other from `at` on.
 */

import { PareError } from '../../util/errors.js'
import { openSum } from '../../util/sums.js'

/** `quadratic`: moments are enough. `curvature`: there is a second derivative, or what bounds the loss like one. */
export type Trait = 'quadratic' | 'curvature'

/** Rows of a problem: their responses and shares. */
interface Given {
  readonly y: Float64Array
  readonly shares: Float64Array
}

/** Sums over the rows `from` to `to`. */
export interface RowLoops {
  /** Writes the slopes at η [n, K]; returns Σ ω f. */
  respond(given: Given, eta: Float64Array, slopes: Float64Array, from: number, to: number): number
  /** Moves v [n, K] into the domain of f*, in place; returns Σ ω f*(v). */
  conjugate(given: Given, v: Float64Array, from: number, to: number): number
}

export interface Datafit {
  readonly name: string
  readonly traits: readonly Trait[]
  /** K: predictors of a row, each with coefficients of its own. */
  readonly outputs: number
  /** Of the largest eigenvalue of the second derivative over all η; Infinity where there is none. */
  readonly curvatureBound: number
  loss(y: number, eta: Float64Array, at: number): number
  /** The least that the loss can be: the deviance is 2 (loss − saturated) (McCullagh and Nelder 1989, §2.3). */
  saturated(y: number): number
  /** ∂f/∂η to `out[at + k]`; returns the loss, which costs little more where the slope is known. */
  slope(y: number, eta: Float64Array, at: number, out: Float64Array): number
  /** ∂²f/∂η∂ηᵀ, or what stands for it, [K, K] to `out[at·K + …]`. */
  curvature(y: number, eta: Float64Array, at: number, out: Float64Array): void
  /** Where that is only a bound: the second derivative itself, which may be 0. */
  second?(y: number, eta: Float64Array, at: number, out: Float64Array): void
  /**
   * f*(v) = sup over η of vᵀη − f(η), for the dual; `v` [K] is moved into the domain of f* first, in place, where
   * rounding or a shift took it out.
   */
  conjugate(y: number, v: Float64Array): number
  /** Slopes and conjugates of many rows, where that can be faster; opens the memory that it works on. */
  openLoops?(): RowLoops
  /** Inverse link: what is expected of the row, to `out[at + k]`. */
  mean(eta: Float64Array, at: number, out: Float64Array): void
  /** Best intercepts without columns and offsets (with offsets: where the search for them begins). */
  nullIntercepts(y: ArrayLike<number>, shares: ArrayLike<number>): Float64Array
  /** By how much the row lies on the right side, for classes: where all do, a larger model is always better. */
  margin?(y: number, eta: Float64Array, at: number): number
}

const MEANINGS: Readonly<Record<Trait, string>> = {
  quadratic: 'a quadratic loss',
  curvature: 'a loss with a second derivative',
}

/** Throws `DATAFIT_SOLVER`, which names what the solver needs and the datafit is not. */
export function checkTraits(solver: string, needs: readonly Trait[], { name, traits }: Datafit): void {
  const lacking = needs.filter((trait) => !traits.includes(trait))
  if (lacking.length === 0) return
  throw new PareError('DATAFIT_SOLVER', `the solver ${solver} needs ${lacking.map((t) => MEANINGS[t]).join(' and ')}`, {
    where: name,
    value: traits.map((t) => MEANINGS[t]).join(', '),
    remedy: 'Choose another solver or another family.',
  })
}

export const loopsOf = (datafit: Datafit): RowLoops => datafit.openLoops?.() ?? rowByRow(datafit)

const rowByRow = (datafit: Datafit): RowLoops => ({
  respond({ y, shares }, eta, slopes, from, to) {
    const loss = openSum()
    for (let i = from; i < to; i++) loss.add(shares[i]! * datafit.slope(y[i]!, eta, i * datafit.outputs, slopes))
    return loss.end()
  },
  conjugate({ y, shares }, v, from, to) {
    const sum = openSum()
    for (let i = from, at = from * datafit.outputs; i < to; i++, at += datafit.outputs)
      sum.add(shares[i]! * datafit.conjugate(y[i]!, v.subarray(at, at + datafit.outputs)))
    return sum.end()
  },
})

/** Σ shares · y */
export const weightedMean = (y: ArrayLike<number>, shares: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < y.length; i++) sum += shares[i]! * y[i]!
  return sum
}

/** x log x, 0 at 0. */
export const xLogX = (x: number): number => (x > 0 ? x * Math.log(x) : 0)

/** Throws `RESPONSE`, which names the row. */
export const wrongResponse = (what: string, row: number | null, value: unknown, remedy: string): PareError =>
  new PareError('RESPONSE', what, { where: row === null ? 'y' : `y, row ${row + 1}`, value, remedy })
