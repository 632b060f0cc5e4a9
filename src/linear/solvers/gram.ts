/**
 * The elastic net from its Gram matrix: coordinate descent on a working set that grows by the optimality conditions,
 * with Anderson extrapolation (Bertrand and Massias 2021, algorithm 2). Its cost does not depend on the number of rows.
 */

import { dualityGap, type Fit, type Penalized, type Quadratic, violation, violationOf } from '../quadratic.js'
import { extrapolate } from './anderson.js'
import { isDirect, solveDirect } from './direct.js'
import { correlationsOf, enter, load, MEMORY, store, type Workspace, workspaceOf } from './workspace.js'

export interface GramOptions {
  /**
   * Largest duality gap, as a part of ½ yᵀy / n; where there is none (see `dualityGap`) the largest violation of the
   * optimality conditions squared, as a part of the same.
   */
  readonly tolerance: number
  /** Passes in all, at most. */
  readonly maxPasses: number
}

/**
 * Solves from `start` on; what did not converge within the passes says so by its gap. The residual of what is returned
 * was computed from its coefficients. `workspace` is of the same problem: what it has copied is not copied again.
 */
export function solveGram(
  problem: Quadratic,
  penalized: Penalized,
  start: Fit,
  options: GramOptions,
  workspace: Workspace = workspaceOf(problem),
): Fit {
  const { tolerance, maxPasses } = options
  if (isDirect(penalized)) return solveDirect(problem, penalized)
  const beta = start.beta.slice()
  let residual = start.residual
  let passes = 0
  let inner = 0.1 * tolerance * problem.yy
  let still = 0
  while (passes < maxPasses) {
    const fit: Fit = { beta, residual, passes }
    if (isSolved(problem, penalized, fit, tolerance)) break
    enter(workspace, workingSet(penalized, fit))
    load(workspace, penalized, fit)
    passes += descendTo(workspace, inner, maxPasses - passes)
    // Three times nothing: what is left to gain is too small for the numbers.
    still = store(workspace, beta) === 0 ? still + 1 : 0
    residual = correlationsOf(workspace)
    if (still === 3) break
    inner *= 0.1
  }
  return { beta, residual, passes }
}

function isSolved(problem: Quadratic, penalized: Penalized, fit: Fit, tolerance: number): boolean {
  const gap = dualityGap(problem, penalized, fit)
  const most = tolerance * 0.5 * problem.yy
  return Number.isNaN(gap) ? violation(penalized, fit) ** 2 <= most : gap <= most
}

/** What is not zero, and what would not stay zero. */
function workingSet(penalized: Penalized, { beta, residual }: Fit): readonly number[] {
  const working: number[] = []
  for (let j = 0; j < beta.length; j++)
    if (beta[j] !== 0 || violationOf(penalized, 0, residual[j]!, j) > 0) working.push(j)
  return working
}

/** Passes until none changes anything by more than the tolerance, each fifth one extrapolated; returns their number. */
function descendTo(workspace: Workspace, tolerance: number, most: number): number {
  const { working, room } = workspace
  const { kernel, state, iterates } = room
  const terms = { ...room.terms, n: working.length }
  for (let passes = 0; ; ) {
    const made = kernel.descend(terms, state, Math.min(MEMORY, most - passes), tolerance)
    passes += made.passes
    if (made.largest <= tolerance || passes >= most) return passes
    extrapolate(workspace)
    iterates.set(state.beta)
  }
}
