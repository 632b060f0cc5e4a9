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
import { type Moments, momentsOf } from './moments.js'
import { emptyFit, exact, type LinearPath, type PathOptions } from './path.js'
import { type Fit, meanSquare, type Penalized, type Quadratic, violation } from './quadratic.js'
import { solveGram } from './solvers/gram.js'
import { standardized } from './standard.js'
import { checkTerms, lambdasOf, termsOf } from './terms.js'

export interface NonconvexOptions extends PathOptions {
  readonly penalty: 'mcp' | 'scad'
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
export function nonconvexPath(x: DenseMatrix, y: ArrayLike<number>, options: NonconvexOptions): LinearPath {
  const { weights, penalty } = options
  checkDesign(x, y, weights)
  checkTerms(options, x.columns)
  const { gamma, above } = PENALTIES[penalty]
  checkShape(penalty, options.gamma ?? gamma, above)
  return nonconvexPathOf(momentsOf(x, y, weights ? { weights } : {}), options)
}

function nonconvexPathOf(moments: Moments, options: NonconvexOptions): LinearPath {
  const { hasIntercept = true, isStandardized = true, tolerance = 1e-7, maxPasses = 10_000, maxRounds = 50 } = options
  const { slope, gamma: usual } = PENALTIES[options.penalty]
  const gamma = options.gamma ?? usual
  const standard = standardized(moments, { hasIntercept, isStandardized })
  const { problem } = standard
  const terms = termsOf(standard, options)
  let fit = emptyFit(problem, terms, { tolerance, maxPasses })
  const lambdas = lambdasOf(fit.residual, terms, moments.count, options)
  const found = Array.from(lambdas, (lambda) => {
    throwIfAborted(options.signal)
    const lasso = terms.at(lambda)
    const around = (beta: Float64Array): Penalized => ({
      ...lasso,
      l1: lasso.l1.map((strength, j) => slope(Math.abs(beta[j]!), strength, gamma)),
    })
    const solved = reweighted(problem, around, fit, { tolerance, maxPasses, maxRounds })
    fit = solved.fit
    return { fit, rounds: solved.rounds, violation: violation(around(fit.beta), fit) }
  })
  return {
    lambdas,
    models: found.map(({ fit: { beta } }, i) => ({ lambda: lambdas[i]!, ...standard.unscaled(beta) })),
    df: found.map(({ fit: { beta } }) => beta.reduce((n, b) => n + Number(b !== 0), 0)),
    devianceRatio: found.map((f) => (problem.yy === 0 ? 0 : 1 - meanSquare(problem, f.fit) / problem.yy)),
    dualGap: found.map(() => Number.NaN),
    violation: found.map((f) => f.violation),
    iterations: found.map((f) => f.rounds),
  }
}

/** Rounds until the conditions of the penalty itself hold. */
function reweighted(
  problem: Quadratic,
  around: (beta: Float64Array) => Penalized,
  start: Fit,
  o: { readonly tolerance: number; readonly maxPasses: number; readonly maxRounds: number },
): { readonly fit: Fit; readonly rounds: number } {
  const most = Math.sqrt(o.tolerance * 0.5 * problem.yy)
  let fit = start
  // A lasso's gap says less of the single conditions than these ask for, so it is solved more closely when it has to be.
  let tolerance = o.tolerance
  for (let rounds = 0; rounds < o.maxRounds; rounds++) {
    const penalized = around(fit.beta)
    if (violation(penalized, fit) <= most) return { fit, rounds }
    const next = exact(problem, solveGram(problem, penalized, fit, { tolerance, maxPasses: o.maxPasses }))
    if (violation(penalized, next) > 0.1 * most) tolerance *= 0.01
    fit = next
  }
  return { fit, rounds: o.maxRounds }
}
