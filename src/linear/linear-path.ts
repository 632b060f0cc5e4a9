/** Paths of linear models: what is asked of them, and what they are. */

import type { GatherOptions } from './gather-moments.js'
import type { ToleranceOption } from './precision.js'
import type { Point, Quadratic } from './quadratic.js'
import type { Standard } from './standard.js'
import type { TermOptions } from './terms.js'

export interface PathOptions extends TermOptions, ToleranceOption, Pick<GatherOptions, 'engine' | 'signal'> {
  /** wᵢ of the rows; only their ratios count, and 0 leaves a row out. */
  readonly weights?: ArrayLike<number>
  /** Passes of coordinate descent for one λ, at most. Default 10,000. */
  readonly maxPasses?: number
}

export interface LinearModel {
  readonly lambda: number
  readonly coefficients: Float64Array
  readonly intercept: number
}

export interface LinearPath {
  /** From the largest down. */
  readonly lambdas: Float64Array
  readonly models: readonly LinearModel[]
  /** Coefficients that are not zero. */
  readonly df: readonly number[]
  /** 1 − RSS / TSS, of the rows that it was fitted on. */
  readonly devianceRatio: readonly number[]
  /**
   * Of each λ, as a part of ½ TSS / n, with what rounding of the moments may hide; NaN where there is none: with a λ of 0,
   * or bounds but no penalty on a column.
   */
  readonly dualGap: readonly number[]
  /** The largest violation of the optimality conditions, on the scale of the fit. */
  readonly violation: readonly number[]
  readonly iterations: readonly number[]
}

export interface Solved extends Point {
  /** With what rounding of the moments may hide. */
  readonly gap: number
  readonly meanSquare: number
  readonly violation: number
  /** The most that the violation may be for all that the moments can say. */
  readonly hidden: number
  readonly iterations: number
}

/** Of what was solved for each λ, on the scale of the fit. */
export function linearPath(
  { problem, unscaled }: Pick<Standard, 'unscaled'> & { readonly problem: Pick<Quadratic, 'yy'> },
  lambdas: Float64Array,
  solved: readonly Omit<Solved, 'hidden'>[],
): LinearPath {
  const { yy } = problem
  return {
    lambdas,
    models: solved.map(({ beta }, i) => ({ lambda: lambdas[i]!, ...unscaled(beta) })),
    df: solved.map(({ beta }) => countOf(beta)),
    devianceRatio: solved.map((s) => (yy === 0 ? 0 : 1 - s.meanSquare / yy)),
    dualGap: solved.map(({ gap }) => (yy === 0 ? 0 : gap / (0.5 * yy))),
    violation: solved.map((s) => s.violation),
    iterations: solved.map((s) => s.iterations),
  }
}

/** A plain loop, as it is over all columns for each λ. */
function countOf(beta: Float64Array): number {
  let count = 0
  for (let j = 0; j < beta.length; j++) count += Number(beta[j] !== 0)
  return count
}
