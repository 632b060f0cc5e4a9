/**
 * MCP and SCAD for the Gaussian model, which leave large coefficients alone: a few rounds of a lasso whose weights are the
 * slopes of the penalty where the last round ended (Zou and Li 2008, eq. 2.4), each λ begun where the last one ended. A
 * round never makes the objective larger, and what no longer moves fulfils the optimality conditions of the penalty
 * itself: a local minimum, as there may be several.
 */

import { throwIfAborted } from '../engine/failures.js'
import { checkShape, mcpSlope } from '../penalties/mcp.js'
import { scadSlope } from '../penalties/scad.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { gatherMoments } from './gather-moments.js'
import { type LinearPath, linearPath, type PathOptions } from './linear-path.js'
import type { Moments } from './moments.js'
import { partialOut } from './partial.js'
import { emptyFit } from './path.js'
import { type Fit, meanSquare, type Penalized, pointAt, type Quadratic, violation } from './quadratic.js'
import type { GramOptions } from './solvers/compact-descent.js'
import { solveGram } from './solvers/gram.js'
import { type GramWorkspace, workspaceOf } from './solvers/gram-source.js'
import { standardized } from './standard.js'
import { checkTerms, lambdasOf, termsOf } from './terms.js'

export type NonconvexPenalty = 'mcp' | 'scad'

export interface NonconvexOptions extends PathOptions {
  readonly penalty: NonconvexPenalty
  /** Where the penalty stops to grow, in units of λ. Default 3 for MCP, 3.7 for SCAD. */
  readonly gamma?: number
  /** Rounds for one λ, at most. Default 50. */
  readonly maxRounds?: number
}

const PENALTIES = {
  mcp: { slope: mcpSlope, gamma: 3, above: 1 },
  scad: { slope: scadSlope, gamma: 3.7, above: 2 },
} as const

/**
 * `dualGap` is NaN: the problem is not convex. `violation` is that of the conditions of the penalty; `iterations` are
 * rounds. Throws `DESIGN_…`, `PATH_OPTION`, `PENALTY_SHAPE`.
 */
export async function nonconvexPath(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: NonconvexOptions,
): Promise<LinearPath> {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  checkNonconvex(options)
  return nonconvexPathOf(await gatherMoments(x, y, options), options)
}

/** Throws `PENALTY_SHAPE`. */
export function checkNonconvex({ penalty, gamma }: Pick<NonconvexOptions, 'penalty' | 'gamma'>): void {
  const { gamma: usual, above } = PENALTIES[penalty]
  checkShape(penalty, gamma ?? usual, above)
}

/** The path from moments alone. */
export function nonconvexPathOf(moments: Moments, options: NonconvexOptions): LinearPath {
  const { hasIntercept = true, isStandardized = true, tolerance = 1e-7, maxPasses = 10_000, maxRounds = 50 } = options
  const { slope, gamma: usual } = PENALTIES[options.penalty]
  const gamma = options.gamma ?? usual
  const standard = standardized(moments, { hasIntercept, isStandardized })
  const terms = termsOf(standard, options)
  const { problem, complete } = partialOut(standard.problem, terms.free)
  const limits = { tolerance: (tolerance * standard.problem.yy) / (problem.yy || 1), maxPasses }
  const workspace = workspaceOf(problem)
  let fit = emptyFit(problem, terms, limits)
  const lambdas = lambdasOf(
    fit.residual,
    terms,
    { count: moments.count, deviation: Math.sqrt(standard.problem.yy) },
    options,
  )
  const solved = Array.from(lambdas, (lambda) => {
    throwIfAborted(options.signal)
    const around = (lasso: Penalized, beta: Float64Array): Penalized => ({
      ...lasso,
      l1: lasso.l1.map((strength, j) => slope(Math.abs(beta[j]!), strength, gamma)),
    })
    const held = terms.heldAt(lambda)
    const found = reweighted(problem, workspace, (beta) => around(held, beta), fit, { ...limits, maxRounds })
    fit = found.fit
    const point = pointAt(standard.problem, complete(fit.beta))
    const missed = violation(around(terms.at(lambda), point.beta), point)
    return {
      ...point,
      gap: Number.NaN,
      meanSquare: meanSquare(standard.problem, point),
      violation: missed,
      iterations: found.rounds,
    }
  })
  return linearPath(standard, lambdas, solved)
}

/** Rounds until the conditions of the penalty itself hold. */
function reweighted(
  problem: Quadratic,
  workspace: GramWorkspace,
  around: (beta: Float64Array) => Penalized,
  start: Fit,
  { tolerance, maxPasses, maxRounds }: GramOptions & { readonly maxRounds: number },
): { readonly fit: Fit; readonly rounds: number } {
  const most = Math.sqrt(tolerance * 0.5 * problem.yy)
  // A lasso's gap says less of the single conditions than these ask for.
  const limits = { tolerance: 0.01 * tolerance, maxPasses, stop: 'violation' } as const
  let fit = start
  for (let rounds = 0; rounds < maxRounds; rounds++) {
    const penalized = around(fit.beta)
    if (violation(penalized, fit) <= most) return { fit, rounds }
    fit = solveGram(problem, penalized, fit, limits, workspace)
  }
  return { fit, rounds: maxRounds }
}
