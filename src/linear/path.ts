/**
 * The elastic net over a path of strengths: 1/2n Σ wᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ Σ vⱼ(ρ|βⱼ| + (1 − ρ)/2 βⱼ²), each λ begun
 * where the last one ended (Friedman, Hastie and Tibshirani 2010).
 */

import { throwIfAborted } from '../engine/failures.js'
import { standardizer } from './columns.js'
import { checkDesign, type DesignMatrix } from './design.js'
import { gatherMoments } from './gather-moments.js'
import { type LinearPath, linearPath, type PathOptions } from './linear-path.js'
import type { Moments } from './moments.js'
import { partialOut } from './partial.js'
import { dualityGap, type Fit, pointAt, type Quadratic, violation } from './quadratic.js'
import { isForRows, rowPath } from './row-path.js'
import type { GramOptions } from './solvers/compact-descent.js'
import { solveGram } from './solvers/gram.js'
import { workspaceOf } from './solvers/gram-source.js'
import { standardized } from './standard.js'
import { checkTerms, lambdasOf, type Terms, termsOf } from './terms.js'

export type { LinearModel, LinearPath, PathOptions } from './linear-path.js'

/** Throws `DESIGN_…` and `PATH_OPTION`. */
export async function path(x: DesignMatrix, y: ArrayLike<number>, options: PathOptions = {}): Promise<LinearPath> {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  if (isForRows(x)) return rowPath(standardizer(x), y, options)
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

/** The fit of what no penalty but bounds hold, all else at zero. */
export function emptyFit(problem: Quadratic, terms: Terms, limits: GramOptions): Fit {
  const zero: Fit = { beta: new Float64Array(problem.q.length), residual: problem.q.slice(), passes: 0 }
  const bounded = terms.onlyBounded()
  return bounded === null ? zero : solveGram(problem, bounded, zero, { ...limits, tolerance: limits.tolerance ** 2 })
}
