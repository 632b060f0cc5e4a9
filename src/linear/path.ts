/**
 * The elastic net over a path of strengths: 1/2n Σ wᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ Σ vⱼ(ρ|βⱼ| + (1 − ρ)/2 βⱼ²), each λ begun
 * where the last one ended (Friedman, Hastie and Tibshirani 2010).
 */

import { throwIfAborted } from '../engine/failures.js'
import type { KernelPool } from '../kernels/gram-kernel.js'
import { onBasis } from './basis.js'
import { standardizer } from './columns.js'
import { checkDesign, checkUnsummed, type DenseMatrix, type DesignMatrix, isSparse } from './design.js'
import { checkUnread, gatherMoments } from './gather-moments.js'
import { type LinearPath, linearPath, type PathOptions, type Solved } from './linear-path.js'
import { type Moments, ROUNDING } from './moments.js'
import { type Partial, partialOut } from './partial.js'
import { precisionFor, TOLERANCE } from './precision.js'
import {
  diagonalOf,
  dualityGap,
  type Fit,
  meanSquare,
  pointAt,
  type Quadratic,
  violation,
  withoutDust,
} from './quadratic.js'
import { isWithin, refined } from './refine.js'
import { isForRows, rowPath } from './row-path.js'
import type { GramOptions } from './solvers/compact-descent.js'
import { solveGram } from './solvers/gram.js'
import { workspaceOf } from './solvers/gram-source.js'
import { type Standard, standardized } from './standard.js'
import { checkTerms, lambdasOf, type Terms, termsOf } from './terms.js'

export type { LinearModel, LinearPath, PathOptions } from './linear-path.js'

/** Pivots below this square a condition that moments cannot bear. */
const ILL = 1e-6

/**
 * By moments, and where these are too coarse for the tolerance, corrected by the residuals on the rows; more columns than
 * moments are good for, and sparse ones, go by their rows alone. Throws `DESIGN_…` and `PATH_OPTION`.
 */
export async function path(x: DesignMatrix, y: ArrayLike<number>, options: PathOptions = {}): Promise<LinearPath> {
  checkTerms(options, x.columns)
  if (isSparse(x) || isForRows(x)) {
    checkUnplaced(x, y, options.weights)
    return rowPath(standardizer(x), y, options)
  }
  checkUnread(x, y, options)
  const precision = precisionFor(options)
  return pathFrom(await gatherMoments(x, y, { ...options, precision }), x, y, options)
}

/** `checkDesign`, but for cells that are all going to be summed: where they are no numbers, sums tell. */
function checkUnplaced(x: DesignMatrix, y: ArrayLike<number>, weights: ArrayLike<number> | undefined): void {
  if (isSparse(x) || weights !== undefined) checkDesign(x, y, weights)
  else checkUnsummed(x, y)
}

/**
 * From moments of x and y, corrected by the rows, or from finer moments, where that is called for. `isOnBasis`: columns
 * without a penalty are as good as they can be.
 */
export async function pathFrom(
  moments: Moments,
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: PathOptions,
  isOnBasis = false,
): Promise<LinearPath> {
  const solution = solvePath(moments, options)
  const { terms, partial, standard, lambdas, most } = solution
  if (partial.pivot <= ILL && !isOnBasis) {
    const { x: conditioned, onColumns } = onBasis(x, terms.free, standard.offsets, options)
    const own = await gatherMoments(conditioned, y, { ...options, precision: precisionFor(options) })
    const found = await pathFrom(own, conditioned, y, options, true)
    return { ...found, models: found.models.map(onColumns) }
  }
  const solved = await refined(solution, x, y, options)
  if (moments.rounding > ROUNDING.float64 * MUCH && !solved.every((s) => isWithin(s, most))) {
    const finer = await gatherMoments(x, y, options)
    if (finer.rounding < moments.rounding) return pathFrom(finer, x, y, options, isOnBasis)
  }
  return linearPath(standard, lambdas, solved)
}

/** Times the rounding of float64, what comes of nothing but float32. */
const MUCH = 1e3

/** The path from moments alone. */
export function pathOf(moments: Moments, options: PathOptions, solving?: SolvingOptions): LinearPath {
  const { standard, lambdas, solved } = solvePath(moments, options, solving)
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

export interface SolvingOptions {
  /** A path ends before the first model of which this holds, by its coefficients on the scale of the fit. */
  readonly isEnough?: (beta: Float64Array) => boolean
  /** Of paths that come one after the other. */
  readonly kernels?: KernelPool
}

export function solvePath(
  moments: Moments,
  options: PathOptions,
  { isEnough = () => false, kernels }: SolvingOptions = {},
): PathSolution {
  kernels?.begin()
  const { hasIntercept = true, isStandardized = true, tolerance = TOLERANCE, maxPasses = 10_000, signal } = options
  const standard = standardized(moments, { hasIntercept, isStandardized }, kernels?.plain)
  const { problem } = standard
  const terms = termsOf(standard, options)
  const partial = partialOut(problem, terms.free)
  // What products in float32 may hide needs room below the tolerance.
  const share = moments.rounding > MUCH * ROUNDING.float64 ? 0.5 : 1
  const limits = { tolerance: (share * tolerance * problem.yy) / (partial.problem.yy || 1), maxPasses }
  let last = emptyFit(partial.problem, terms, limits)
  const lambdas = lambdasOf(last.residual, terms, { count: moments.count, deviation: Math.sqrt(problem.yy) }, options)
  const workspace = workspaceOf(partial.problem, kernels?.open, kernels?.columns)
  const errorsOf = errorsOfMoments(problem, moments.rounding / partial.pivot)
  const solved: Solved[] = []
  for (const lambda of lambdas) {
    throwIfAborted(signal)
    const held = terms.heldAt(lambda)
    last = solveGram(partial.problem, held, last, limits, workspace)
    const beta = withoutDust(partial.problem.yy, diagonalOf(partial.problem), held, last.beta)
    // Certificates owe nothing to the solver but the coefficients; from these it has computed what it returned.
    const penalized = isSame(beta, last.beta) ? last : pointAt(partial.problem, beta)
    const fit = terms.free.length === 0 ? penalized : pointAt(problem, partial.complete(beta))
    if (isEnough(fit.beta)) break
    const errors = errorsOf(fit.beta)
    const missed = violation(terms.free.length === 0 ? held : terms.at(lambda), fit)
    solved.push({
      ...fit,
      gap: dualityGap(partial.problem, held, penalized, errors) + partial.lossOf(fit.residual, errors),
      meanSquare: meanSquare(problem, fit),
      violation: missed,
      hidden: Math.max(missed, largestOf(errors)),
      iterations: last.passes,
    })
  }
  if (kernels) kernels.columns = Math.max(kernels.columns, workspace.working.length)
  const reached = lambdas.subarray(0, solved.length)
  return { standard, terms, partial, limits, most: tolerance * 0.5 * problem.yy, lambdas: reached, solved }
}

/**
 * What rounding of the moments may do to the correlations at β. Each entry of G is known to a part ε of √(Gⱼⱼ Gₖₖ), with
 * errors that have nothing to do with each other: some ε √Gⱼⱼ (2‖β‖ + √yy), with β in units of its columns.
 */
function errorsOfMoments({ gram, q, yy }: Quadratic, rounding: number): (beta: Float64Array) => Float64Array {
  const p = q.length
  const lengths = Float64Array.from({ length: p }, (_, j) => Math.sqrt(gram[j * p + j]!))
  return (beta) => {
    let square = 0
    for (let j = 0; j < p; j++) square += (beta[j]! * lengths[j]!) ** 2
    const most = rounding * (2 * Math.sqrt(square) + Math.sqrt(yy))
    const errors = new Float64Array(p)
    for (let j = 0; j < p; j++) errors[j] = most * lengths[j]!
    return errors
  }
}

// Plain loops, as they are over all columns for each λ.

function isSame(a: Float64Array, b: Float64Array): boolean {
  for (let j = 0; j < a.length; j++) if (a[j] !== b[j]) return false
  return true
}

function largestOf(values: Float64Array): number {
  let largest = 0
  for (let j = 0; j < values.length; j++) largest = Math.max(largest, values[j]!)
  return largest
}

/** The fit of what no penalty but bounds hold, all else at zero. */
export function emptyFit(problem: Quadratic, terms: Terms, limits: GramOptions): Fit {
  const zero: Fit = { beta: new Float64Array(problem.q.length), residual: problem.q.slice(), passes: 0 }
  const bounded = terms.onlyBounded()
  return bounded === null ? zero : solveGram(problem, bounded, zero, { ...limits, tolerance: limits.tolerance ** 2 })
}
