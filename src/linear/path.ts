/**
 * The elastic net over a path of strengths: 1/2n Σ wᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ Σ vⱼ(ρ|βⱼ| + (1 − ρ)/2 βⱼ²), each λ begun
 * where the last one ended (Friedman, Hastie and Tibshirani 2010).
 */

import { throwIfAborted } from '../engine/failures.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type GatherOptions, gatherMoments } from './gather-moments.js'
import type { Moments } from './moments.js'
import { partialOut } from './partial.js'
import { dualityGap, type Fit, meanSquare, type Point, pointAt, type Quadratic, violation } from './quadratic.js'
import { type GramOptions, solveGram } from './solvers/gram.js'
import { workspaceOf } from './solvers/workspace.js'
import { type Standard, standardized } from './standard.js'
import { checkTerms, lambdasOf, type TermOptions, type Terms, termsOf } from './terms.js'

export interface PathOptions extends TermOptions, Pick<GatherOptions, 'engine' | 'signal'> {
  /** wᵢ of the rows; only their ratios count. */
  readonly weights?: ArrayLike<number>
  /** Largest duality gap, as a part of that of the empty model. Default 1e-7. */
  readonly tolerance?: number
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
  /** Of each λ, as a part of ½ TSS / n; NaN where there is none: with a λ of 0, or bounds but no penalty on a column. */
  readonly dualGap: readonly number[]
  /** The largest violation of the optimality conditions, on the scale of the fit. */
  readonly violation: readonly number[]
  readonly iterations: readonly number[]
}

/** Throws `DESIGN_…` and `PATH_OPTION`. */
export async function path(x: DenseMatrix, y: ArrayLike<number>, options: PathOptions = {}): Promise<LinearPath> {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  return pathOf(await gatherMoments(x, y, options), options)
}

/** The path from moments alone. */
export function pathOf(moments: Moments, options: PathOptions): LinearPath {
  const { hasIntercept = true, isStandardized = true, tolerance = 1e-7, maxPasses = 10_000, signal } = options
  const standard = standardized(moments, { hasIntercept, isStandardized })
  const { problem } = standard
  const terms = termsOf(standard, options)
  const partial = partialOut(problem, terms.free)
  const limits = { tolerance: (tolerance * problem.yy) / (partial.problem.yy || 1), maxPasses }
  let last = emptyFit(partial.problem, terms, limits)
  const lambdas = lambdasOf(last.residual, terms, moments.count, options)
  const workspace = workspaceOf(partial.problem)
  const solved = Array.from(lambdas, (lambda) => {
    throwIfAborted(signal)
    const held = terms.heldAt(lambda)
    last = solveGram(partial.problem, held, last, limits, workspace)
    // Certificates owe nothing to the solver but the coefficients.
    const gap = dualityGap(partial.problem, held, pointAt(partial.problem, last.beta))
    const fit = pointAt(problem, partial.complete(last.beta))
    return { ...fit, gap, violation: violation(terms.at(lambda), fit), iterations: last.passes }
  })
  return linearPath(standard, lambdas, solved)
}

export interface Solved extends Point {
  readonly gap: number
  readonly violation: number
  readonly iterations: number
}

/** Of what was solved for each λ, on the scale of the fit. */
export function linearPath(
  { problem, unscaled }: Standard,
  lambdas: Float64Array,
  solved: readonly Solved[],
): LinearPath {
  const { yy } = problem
  return {
    lambdas,
    models: solved.map(({ beta }, i) => ({ lambda: lambdas[i]!, ...unscaled(beta) })),
    df: solved.map(({ beta }) => beta.reduce((n, b) => n + Number(b !== 0), 0)),
    devianceRatio: solved.map((point) => (yy === 0 ? 0 : 1 - meanSquare(problem, point) / yy)),
    dualGap: solved.map(({ gap }) => (yy === 0 ? 0 : gap / (0.5 * yy))),
    violation: solved.map((s) => s.violation),
    iterations: solved.map((s) => s.iterations),
  }
}

/** The fit of what no penalty but bounds hold, all else at zero. */
export function emptyFit(problem: Quadratic, terms: Terms, limits: GramOptions): Fit {
  const zero: Fit = { beta: new Float64Array(problem.q.length), residual: problem.q.slice(), passes: 0 }
  const { lower, upper, ...none } = terms.heldAt(0)
  const only = (bounds: Float64Array): Float64Array => bounds.map((v, j) => (terms.factors[j] === 0 ? v : 0))
  const penalized = { ...none, lower: only(lower), upper: only(upper) }
  if (penalized.lower.every((v, j) => v === 0 && penalized.upper[j] === 0)) return zero
  return solveGram(problem, penalized, zero, { ...limits, tolerance: limits.tolerance ** 2 })
}
