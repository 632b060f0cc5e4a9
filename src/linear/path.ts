/**
 * The elastic net over a path of strengths: 1/2n Σ wᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ Σ vⱼ(ρ|βⱼ| + (1 − ρ)/2 βⱼ²), each λ begun
 * where the last one ended (Friedman, Hastie and Tibshirani 2010).
 */

import { throwIfAborted } from '../engine/failures.js'
import { onBasis } from './basis.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type GatherOptions, gatherMoments } from './gather-moments.js'
import { type Moments, ROUNDING } from './moments.js'
import { type Partial, partialOut } from './partial.js'
import { precisionFor, TOLERANCE, type ToleranceOption } from './precision.js'
import {
  dualityGap,
  type Fit,
  meanSquare,
  type Point,
  pointAt,
  type Quadratic,
  violation,
  withoutDust,
} from './quadratic.js'
import { isWithin, refined } from './refine.js'
import { type GramOptions, solveGram } from './solvers/gram.js'
import { workspaceOf } from './solvers/workspace.js'
import { type Standard, standardized } from './standard.js'
import { checkTerms, lambdasOf, type TermOptions, type Terms, termsOf } from './terms.js'

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

/** Pivots below this square a condition that moments cannot bear. */
const ILL = 1e-6

/**
 * Where the moments are too coarse for the tolerance, solutions are corrected by their residuals on the rows. Throws
 * `DESIGN_…` and `PATH_OPTION`.
 */
export async function path(x: DenseMatrix, y: ArrayLike<number>, options: PathOptions = {}): Promise<LinearPath> {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  const precision = precisionFor(options)
  return pathFrom(await gatherMoments(x, y, { ...options, precision }), x, y, options)
}

/** From moments of x and y, corrected by the rows, or from finer moments, where that is called for. */
export async function pathFrom(
  moments: Moments,
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: PathOptions,
): Promise<LinearPath> {
  const solution = solvePath(moments, options)
  const { terms, partial, standard, lambdas, most } = solution
  if (partial.pivot <= ILL) {
    const { x: conditioned, onColumns } = onBasis(x, terms.free, standard.offsets, options.weights)
    const found = await path(conditioned, y, options)
    return { ...found, models: found.models.map(onColumns) }
  }
  const solved = await refined(solution, x, y, options)
  if (moments.rounding > ROUNDING.float64 * MUCH && !solved.every((s) => isWithin(s, most)))
    return pathFrom(await gatherMoments(x, y, options), x, y, options)
  return linearPath(standard, lambdas, solved)
}

/** Times the rounding of float64, what comes of nothing but float32. */
const MUCH = 1e3

/** The path from moments alone; it ends before the first model of which `isEnough` holds, by its coefficients. */
export function pathOf(moments: Moments, options: PathOptions, isEnough?: IsEnough): LinearPath {
  const { standard, lambdas, solved } = solvePath(moments, options, isEnough)
  return linearPath(standard, lambdas, solved)
}

/** A path on the scale of the fit, and what it was found with. */
export interface PathSolution {
  readonly standard: Standard
  readonly terms: Terms
  readonly partial: Partial
  /** Of the problem of the penalized columns, and of all: the largest gap. */
  readonly limits: GramOptions
  readonly most: number
  readonly lambdas: Float64Array
  readonly solved: readonly Solved[]
}

/** By the coefficients on the scale of the fit. */
type IsEnough = (beta: Float64Array) => boolean

export function solvePath(moments: Moments, options: PathOptions, isEnough: IsEnough = () => false): PathSolution {
  const { hasIntercept = true, isStandardized = true, tolerance = TOLERANCE, maxPasses = 10_000, signal } = options
  const standard = standardized(moments, { hasIntercept, isStandardized })
  const { problem } = standard
  const terms = termsOf(standard, options)
  const partial = partialOut(problem, terms.free)
  const limits = { tolerance: (tolerance * problem.yy) / (partial.problem.yy || 1), maxPasses }
  let last = emptyFit(partial.problem, terms, limits)
  const lambdas = lambdasOf(last.residual, terms, moments.count, options)
  const workspace = workspaceOf(partial.problem)
  const solved: Solved[] = []
  for (const lambda of lambdas) {
    throwIfAborted(signal)
    const held = terms.heldAt(lambda)
    last = solveGram(partial.problem, held, last, limits, workspace)
    const beta = withoutDust(partial.problem, held, last.beta)
    // Certificates owe nothing to the solver but the coefficients.
    const fit = pointAt(problem, partial.complete(beta))
    if (isEnough(fit.beta)) break
    const errors = errorsOf(problem, moments.rounding / partial.pivot, fit.beta)
    const missed = violation(terms.at(lambda), fit)
    solved.push({
      ...fit,
      gap:
        dualityGap(partial.problem, held, pointAt(partial.problem, beta), errors) +
        partial.lossOf(fit.residual, errors),
      meanSquare: meanSquare(problem, fit),
      violation: missed,
      hidden: errors.reduce((most, e) => Math.max(most, e), missed),
      iterations: last.passes,
    })
  }
  const reached = lambdas.subarray(0, solved.length)
  return { standard, terms, partial, limits, most: tolerance * 0.5 * problem.yy, lambdas: reached, solved }
}

/**
 * What rounding of the moments may do to the correlations. Each entry of G is known to a part ε of √(Gⱼⱼ Gₖₖ), with errors
 * that have nothing to do with each other: some ε √Gⱼⱼ (2‖β‖ + √yy), with β in units of its columns.
 */
function errorsOf({ gram, yy }: Quadratic, rounding: number, beta: Float64Array): Float64Array {
  const p = beta.length
  const lengths = Float64Array.from({ length: p }, (_, j) => Math.sqrt(gram[j * p + j]!))
  const size = Math.sqrt(beta.reduce((sum, b, j) => sum + (b * lengths[j]!) ** 2, 0))
  return lengths.map((length) => rounding * length * (2 * size + Math.sqrt(yy)))
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
  { problem, unscaled }: Standard,
  lambdas: Float64Array,
  solved: readonly Omit<Solved, 'hidden'>[],
): LinearPath {
  const { yy } = problem
  return {
    lambdas,
    models: solved.map(({ beta }, i) => ({ lambda: lambdas[i]!, ...unscaled(beta) })),
    df: solved.map(({ beta }) => beta.reduce((n, b) => n + Number(b !== 0), 0)),
    devianceRatio: solved.map((s) => (yy === 0 ? 0 : 1 - s.meanSquare / yy)),
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
