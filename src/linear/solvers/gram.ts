/**
 * The elastic net from its Gram matrix: coordinate descent on a working set that grows by the optimality conditions,
 * with Anderson extrapolation (Bertrand and Massias 2021, algorithm 2). Its cost does not depend on the number of rows.
 */

import { dualityGap, type Fit, type Penalized, type Quadratic, violation, violationOf } from '../quadratic.js'
import { extrapolate } from './anderson.js'
import { isDirect, solveDirect } from './direct.js'
import { passesOfFace, stepOnFace } from './face.js'
import { workspaceOf } from './gram-source.js'
import { compactOf, correlationsOf, enter, load, MEMORY, store, type Workspace } from './workspace.js'

export interface GramOptions {
  /**
   * Largest duality gap, as a part of ½ yᵀy / n; where there is none (see `dualityGap`), or `stop` is `violation`, the
   * largest violation of the optimality conditions squared, as a part of the same.
   */
  readonly tolerance: number
  /** What ends the search. Default `gap`; `violation` where `yy` is not that of data, so that there is no dual. */
  readonly stop?: 'gap' | 'violation'
  /** Passes in all, at most. */
  readonly maxPasses: number
}

/** Of its threshold, where a correlation counts as near. */
const NEAR = 0.9

/** Passes that descent is given before anything dearer. */
const PATIENCE = 20

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
  return isDirect(penalized) ? solveDirect(problem, penalized) : solveWorking(workspace, penalized, start, options)
}

/** The same from wherever the columns come. */
export function solveWorking(workspace: Workspace, penalized: Penalized, start: Fit, options: GramOptions): Fit {
  const { maxPasses } = options
  const { source } = workspace
  const beta = start.beta.slice()
  let residual = start.residual
  let passes = 0
  let still = 0
  while (passes < maxPasses) {
    const fit: Fit = { beta, residual, passes }
    if (isSolved(source, penalized, fit, options)) break
    enter(workspace, workingSet(penalized, fit, passes === 0 ? NEAR : 1))
    load(workspace, penalized, fit)
    passes += descendTo(workspace, { ...options, maxPasses: maxPasses - passes })
    // Three times nothing: what is left to gain is too small for the numbers.
    still = store(workspace, beta) === 0 ? still + 1 : 0
    residual = correlationsOf(workspace, penalized)
    if (still === 3) break
  }
  return { beta, residual, passes }
}

function isSolved(
  problem: Pick<Quadratic, 'q' | 'yy'>,
  penalized: Penalized,
  fit: Fit,
  { tolerance, stop = 'gap' }: GramOptions,
): boolean {
  const gap = stop === 'gap' ? dualityGap(problem, penalized, fit) : Number.NaN
  const most = tolerance * 0.5 * problem.yy
  return Number.isNaN(gap) ? violation(penalized, fit) ** 2 <= most : gap <= most
}

/**
 * What is not zero, and what would not stay zero, or is about to: at a λ close to the last one, all that will move is
 * among what comes this near (the strong rule: Tibshirani et al. 2012, eq. 19).
 */
function workingSet(penalized: Penalized, { beta, residual }: Fit, near: number): readonly number[] {
  const lowered = { ...penalized, l1: penalized.l1.map((v) => near * v) }
  const working: number[] = []
  for (let j = 0; j < beta.length; j++)
    if (beta[j] !== 0 || violationOf(lowered, 0, residual[j]!, j) > 0) working.push(j)
  return working
}

/**
 * Passes, each fifth one extrapolated, until the compact problem is solved by itself; returns their number. When they
 * have cost as much as a step on the face, that is taken too.
 */
function descendTo(workspace: Workspace, options: GramOptions): number {
  const { tolerance, maxPasses: most } = options
  const { kernel, state, iterates } = workspace.room
  const { problem, penalized, fit } = compactOf(workspace)
  const terms = { ...workspace.room.terms, n: workspace.working.length }
  let change = problem.yy * tolerance
  let last = 0
  for (let passes = 0; ; ) {
    const made = kernel.descend(terms, state, Math.min(MEMORY, most - passes), change)
    passes += made.passes
    if (made.largest === 0 || passes >= most) return passes
    // A little more than is asked for, since all columns have a say in the gap that counts.
    if (made.largest <= change) {
      if (isSolved(problem, penalized, fit, { ...options, tolerance: 0.9 * tolerance })) return passes
      change *= 0.1
    } else if (passes - last > Math.max(PATIENCE, passesOfFace(workspace))) {
      stepOnFace(workspace)
      last = passes
    } else extrapolate(workspace)
    iterates.set(state.beta)
  }
}
