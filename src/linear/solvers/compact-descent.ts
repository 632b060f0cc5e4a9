/** Descent on the compact problem of a working set, with Anderson extrapolation and steps on the face where it creeps. */

import { dualityGap, type Fit, type Penalized, type Quadratic, violation } from '../quadratic.js'
import { extrapolate } from './anderson.js'
import { passesOfFace, stepOnFace } from './face.js'
import { compactOf, MEMORY, type Workspace } from './workspace.js'

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

/** Passes that descent is given before anything dearer. */
const PATIENCE = 20

export function isSolved(
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
 * Passes, each fifth one extrapolated, until the compact problem is solved by itself; returns their number. When they
 * have cost as much as a step on the face, that is taken too.
 */
export function descendTo(workspace: Workspace, options: GramOptions): number {
  const { tolerance, maxPasses: most } = options
  const { kernel, state, iterates } = workspace.room
  const { problem, penalized, fit } = compactOf(workspace)
  const terms = { ...workspace.room.terms, n: workspace.working.length }
  // A little more than is asked for, since all columns have a say in the gap that counts.
  const isEnough = (): boolean => isSolved(problem, penalized, fit, { ...options, tolerance: 0.9 * tolerance })
  let change = problem.yy * tolerance
  let last = 0
  for (let passes = 0; ; ) {
    const made = kernel.descend(terms, state, Math.min(MEMORY, most - passes), change)
    passes += made.passes
    if (made.largest === 0 || passes >= most) return passes
    if (isEnough()) return passes
    if (made.largest <= change) {
      change *= 0.1
    } else if (passes - last > Math.max(PATIENCE, passesOfFace(workspace))) {
      stepOnFace(workspace)
      last = passes
    } else if (extrapolate(workspace, isEnough)) return passes
    iterates.set(state.beta)
  }
}
