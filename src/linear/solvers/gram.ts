/**
 * The elastic net from its Gram matrix: coordinate descent on a working set that grows by the optimality conditions,
 * with Anderson extrapolation (Bertrand and Massias 2021, algorithm 2). Its cost does not depend on the number of rows.
 */

import { type Fit, type Penalized, type Quadratic, violationOf } from '../quadratic.js'
import { descendTo, type GramOptions, isSolved } from './compact-descent.js'
import { isDirect, solveDirect } from './direct.js'
import { correlationsOf, type GramWorkspace, workspaceOf } from './gram-source.js'
import { enter, load, store } from './workspace.js'

/** Of its threshold, where a correlation counts as near. */
const NEAR = 0.9

/**
 * Solves from `start` on; what did not converge within the passes says so by its gap. The residual of what is returned
 * was computed from its coefficients. `workspace` is of the same problem: what it has copied is not copied again.
 */
export function solveGram(
  problem: Quadratic,
  penalized: Penalized,
  start: Fit,
  options: GramOptions,
  workspace: GramWorkspace = workspaceOf(problem),
): Fit {
  const { maxPasses } = options
  if (isDirect(penalized)) return solveDirect(problem, penalized)
  const beta = start.beta.slice()
  let residual = start.residual
  let passes = 0
  let still = 0
  while (passes < maxPasses) {
    const fit: Fit = { beta, residual, passes }
    if (isSolved(problem, penalized, fit, options)) break
    enter(workspace, workingSet(penalized, fit, passes === 0 ? NEAR : 1))
    load(workspace, penalized, fit)
    passes += descendTo(workspace, { ...options, maxPasses: maxPasses - passes })
    // Three times nothing: what is left to gain is too small for the numbers.
    still = store(workspace, beta) === 0 ? still + 1 : 0
    residual = correlationsOf(workspace)
    if (still === 3) break
  }
  return { beta, residual, passes }
}

/**
 * What is not zero, and what would not stay zero, or is about to: at a λ close to the last one, all that will move is
 * among what comes this near (the strong rule: Tibshirani et al. 2012, eq. 19).
 */
function workingSet(penalized: Penalized, { beta, residual }: Fit, near: number): readonly number[] {
  const l1 = new Float64Array(beta.length)
  for (let j = 0; j < l1.length; j++) l1[j] = near * penalized.l1[j]!
  const lowered = { ...penalized, l1 }
  const working: number[] = []
  for (let j = 0; j < beta.length; j++)
    if (beta[j] !== 0 || violationOf(lowered, 0, residual[j]!, j) > 0) working.push(j)
  return working
}
