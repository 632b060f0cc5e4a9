/**
 * The group lasso over a path of strengths: 1/2n Σ wᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ Σ (ρ √p_g ‖β_g‖ + (1 − ρ)/2 ‖β_g‖²), whole groups
 * of columns in or out together (Yuan and Lin 2006).
 */

import { throwIfAborted } from '../engine/failures.js'
import { PareError } from '../util/errors.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { gatherMoments } from './gather-moments.js'
import { type LinearPath, linearPath, type PathOptions } from './linear-path.js'
import { type Fit, meanSquare } from './quadratic.js'
import { groupGap, groupsOf, groupViolation, solveGroups } from './solvers/group-descent.js'
import { standardized } from './standard.js'
import { checkTerms, lambdasOf } from './terms.js'

export interface GroupOptions extends Omit<PathOptions, 'penaltyFactors' | 'lowerBounds' | 'upperBounds'> {
  /** The group of each column: any value. */
  readonly groups: ArrayLike<number | string>
  /** Of each group in the order of its first column, in place of √p_g; 0 leaves a group free. */
  readonly groupFactors?: ArrayLike<number>
}

/** `isStandardized` is of single columns. Throws `DESIGN_…`, `PATH_OPTION`. */
export async function groupPath(x: DenseMatrix, y: ArrayLike<number>, options: GroupOptions): Promise<LinearPath> {
  const { hasIntercept = true, isStandardized = true, tolerance = 1e-7, maxPasses = 10_000, signal } = options
  const { l1Ratio = 1 } = options
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  const columns = groupColumns(options, x.columns)
  const factors = Float64Array.from(columns, (list, g) => options.groupFactors?.[g] ?? Math.sqrt(list.length))
  const moments = await gatherMoments(x, y, options)
  const standard = standardized(moments, { hasIntercept, isStandardized })
  const { problem } = standard
  const groups = groupsOf(problem, columns)
  const limits = { tolerance, maxPasses }
  const zero: Fit = { beta: new Float64Array(x.columns), residual: problem.q.slice(), passes: 0 }
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
function groupColumns({ groups, groupFactors }: GroupOptions, columns: number): readonly (readonly number[])[] {
  const found = new Map<number | string, number[]>()
  for (let j = 0; j < groups.length; j++) {
    const list = found.get(groups[j]!)
    if (list) list.push(j)
    else found.set(groups[j]!, [j])
  }
  const wrong = (where: string, value: unknown, doc: string): PareError =>
    new PareError('PATH_OPTION', `${where} must be ${doc}`, { where, value, remedy: 'Change this option.' })
  if (groups.length !== columns) throw wrong('groups', groups.length, `${columns} values, one for each column`)
  if (
    groupFactors &&
    !(groupFactors.length === found.size && Array.from(groupFactors).every((v) => v >= 0 && Number.isFinite(v)))
  )
    throw wrong(
      'groupFactors',
      Array.from(groupFactors),
      `${found.size} finite numbers of at least 0, one for each group`,
    )
  return [...found.values()]
}
