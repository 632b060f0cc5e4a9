/**
 * The group lasso over a path of strengths: 1/2n Σ wᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ Σ (ρ √p_g ‖β_g‖ + (1 − ρ)/2 ‖β_g‖²), whole groups
 * of columns in or out together (Yuan and Lin 2006).
 */

import { throwIfAborted } from '../engine/failures.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { gatherMoments } from './gather-moments.js'
import { type LinearPath, linearPath, type PathOptions } from './linear-path.js'
import type { Moments } from './moments.js'
import { type Fit, meanSquare } from './quadratic.js'
import { groupGap, groupsOf, groupViolation, solveGroups } from './solvers/group-descent.js'
import { standardized } from './standard.js'
import { checkTerms, lambdasOf, wrongOption } from './terms.js'

/** Columns that come and go together. */
export interface Grouping {
  /** The group of each column: any value. */
  readonly columnGroups: ArrayLike<number | string>
  /** Of each group in the order of its first column, in place of √p_g; 0 leaves a group free. */
  readonly groupFactors?: ArrayLike<number>
}

export interface GroupOptions extends Omit<PathOptions, 'penaltyFactors' | 'lowerBounds' | 'upperBounds'>, Grouping {}

/** `isStandardized` is of single columns. Throws `DESIGN_…`, `PATH_OPTION`. */
export async function groupPath(x: DenseMatrix, y: ArrayLike<number>, options: GroupOptions): Promise<LinearPath> {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  checkGroups(options, x.columns)
  return groupPathOf(await gatherMoments(x, y, options), options)
}

/** The path from moments alone. */
export function groupPathOf(moments: Moments, options: GroupOptions): LinearPath {
  const { hasIntercept = true, isStandardized = true, tolerance = 1e-7, maxPasses = 10_000, signal } = options
  const { l1Ratio = 1 } = options
  const columns = columnsOf(options.columnGroups)
  const factors = Float64Array.from(columns, (list, g) => options.groupFactors?.[g] ?? Math.sqrt(list.length))
  const standard = standardized(moments, { hasIntercept, isStandardized })
  const { problem } = standard
  const groups = groupsOf(problem, columns)
  const limits = { tolerance, maxPasses }
  const zero: Fit = { beta: new Float64Array(problem.q.length), residual: problem.q.slice(), passes: 0 }
  // Infinity holds what has a penalty; groups without one are fitted first.
  const held = { strengths: factors.map((v) => (v > 0 ? Number.POSITIVE_INFINITY : 0)), ridge: 0 }
  const empty = factors.includes(0)
    ? solveGroups(problem, groups, held, zero, { ...limits, tolerance: tolerance ** 2 })
    : zero
  const norms = Float64Array.from(columns, (list) => Math.hypot(...list.map((j) => empty.residual[j]!)))
  const lambdas = lambdasOf(
    norms,
    { l1Ratio, factors },
    { count: moments.count, deviation: Math.sqrt(problem.yy) },
    options,
  )
  let fit = empty
  const solved = Array.from(lambdas, (lambda) => {
    throwIfAborted(signal)
    const terms = { strengths: factors.map((v) => lambda * l1Ratio * v), ridge: lambda * (1 - l1Ratio) }
    fit = solveGroups(problem, groups, terms, fit, limits)
    return {
      ...fit,
      gap: groupGap(problem, groups, terms, fit),
      meanSquare: meanSquare(problem, fit),
      violation: groupViolation(groups, terms, fit),
      iterations: fit.passes,
    }
  })
  return linearPath(standard, lambdas, solved)
}

/** The columns of each group, in the order of their first. */
export function columnsOf(columnGroups: Grouping['columnGroups']): readonly (readonly number[])[] {
  const found = new Map<number | string, number[]>()
  for (let j = 0; j < columnGroups.length; j++) {
    const list = found.get(columnGroups[j]!)
    if (list) list.push(j)
    else found.set(columnGroups[j]!, [j])
  }
  return [...found.values()]
}

/** Throws `PATH_OPTION`, also for what groups do not have: factors and bounds of single columns. */
export function checkGroups(options: PathOptions & Grouping, columns: number): void {
  const { columnGroups, groupFactors } = options
  if (columnGroups.length !== columns)
    throw wrongOption('columnGroups', columnGroups.length, `${columns} values, one for each column`)
  const count = columnsOf(columnGroups).length
  const isRight = (factors: readonly number[]): boolean =>
    factors.length === count && factors.every((v) => v >= 0 && Number.isFinite(v))
  if (groupFactors && !isRight(Array.from(groupFactors)))
    throw wrongOption('groupFactors', Array.from(groupFactors), `${count} finite numbers of at least 0, one a group`)
  for (const name of ['penaltyFactors', 'lowerBounds', 'upperBounds'] as const)
    if (options[name] !== undefined)
      throw wrongOption(name, Array.from(options[name]), 'left out where groups are fitted')
}
