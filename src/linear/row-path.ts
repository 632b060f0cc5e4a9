/** The path on rows, for more columns than rows and for sparse X: no Gram matrix but that of a working set. */

import { throwIfAborted } from '../engine/failures.js'
import type { Standardize } from './columns.js'
import type { DenseMatrix } from './design.js'
import { type LinearPath, linearPath, type PathOptions } from './linear-path.js'
import { TOLERANCE } from './precision.js'
import { dualityGap, type Fit, meanSquare, type Penalized, violation, withoutDust } from './quadratic.js'
import { productsOf, type RowProblem, rowProblem, square } from './row-problem.js'
import type { GramOptions } from './solvers/compact-descent.js'
import { isSmooth } from './solvers/direct.js'
import { dualOf, solveDual } from './solvers/dual.js'
import { primalOf, solvePrimal } from './solvers/primal.js'
import { rowSolver, solveRows } from './solvers/residual.js'
import { lambdasOf, type Terms, termsOf } from './terms.js'

/** Columns up to which the Gram matrix of all is made at no cost that counts, and beyond which it is large and dear. */
const FEW = 300
const MOST = 5000

/** Whether a dense design is better left in its rows than brought to moments. */
export const isForRows = ({ rows, columns }: DenseMatrix): boolean => columns > Math.max(FEW, Math.min(rows, MOST))

/** Rows or columns up to which m³/3 operations for each λ are worth it; beyond, descent is quicker. */
const MOST_AT_ONCE = 2000

export interface RowPathOptions extends PathOptions {
  /** Rows that count. Default: all. */
  readonly rows?: ArrayLike<number>
}

export function rowPath(standardize: Standardize, y: ArrayLike<number>, options: RowPathOptions): LinearPath {
  const { hasIntercept = true, isStandardized = true, tolerance = TOLERANCE, maxPasses = 10_000, signal } = options
  const { weights, rows } = options
  const standard = standardize(y, { weights, rows, hasIntercept, isStandardized })
  const terms = termsOf(standard, options)
  const problem = rowProblem(standard.columns, standard.y, terms.free)
  const yy = square(standard.y)
  const solve = solverOf(problem, terms, { tolerance: (tolerance * yy) / (problem.yy || 1), maxPasses })
  let last = solve.empty()
  const lambdas = lambdasOf(last.residual, terms, { count: standard.used, deviation: Math.sqrt(yy) }, options)
  const q = terms.free.length === 0 ? problem.q : productsOf(standard.columns, standard.y)
  const solved = Array.from(lambdas, (lambda) => {
    throwIfAborted(signal)
    const { fit, gap } = solve.next(lambda, last)
    last = fit
    const point = { beta: problem.complete(fit.beta), residual: fit.residual }
    return {
      ...point,
      gap,
      meanSquare: meanSquare({ q, yy }, point),
      violation: violation(terms.at(lambda), point),
      iterations: fit.passes,
    }
  })
  return linearPath({ ...standard, problem: { yy } }, lambdas, solved)
}

interface PathSolver {
  /** With all that has a penalty at 0; its residual is exact for all columns. */
  empty(): Fit
  next(lambda: number, last: Fit): { readonly fit: Fit; readonly gap: number }
}

function solverOf(problem: RowProblem, terms: Terms, limits: GramOptions): PathSolver {
  const all = terms.at(1)
  const rows = rowSolver(problem, (j) => all.lower[j] === 0 && all.upper[j] === 0)
  const held = (penalized: Penalized): Penalized => without(penalized, problem.gone)
  let atOnce: SolveAtOnce | null | undefined
  return {
    empty() {
      const zero = { beta: new Float64Array(problem.q.length), residual: problem.q.slice(), passes: 0 }
      const bounded = terms.onlyBounded()
      if (bounded === null) return zero
      return solveRows(rows, held(bounded), zero, { ...limits, tolerance: limits.tolerance ** 2 })
    },
    next(lambda, last) {
      const penalized = held(terms.heldAt(lambda))
      if (isSmooth(penalized)) {
        if (atOnce === undefined) atOnce = atOnceOf(problem, terms.factors, penalized)
        const fit = atOnce?.(penalized)
        if (fit) return { fit, gap: dualityGap(problem, penalized, fit) }
      }
      const found = solveRows(rows, penalized, last, limits)
      // Dust is less than the rounding of what is left of y.
      const beta = withoutDust(problem.yy, (j) => problem.columns.squares[j]!, penalized, found.beta)
      const fit = { ...found, beta }
      return { fit, gap: dualityGap(problem, penalized, fit) }
    },
  }
}

function without(penalized: Penalized, columns: readonly number[]): Penalized {
  if (columns.length === 0) return penalized
  const [lower, upper] = [penalized.lower.slice(), penalized.upper.slice()]
  for (const j of columns) {
    lower[j] = 0
    upper[j] = 0
  }
  return { ...penalized, lower, upper }
}

type SolveAtOnce = (penalized: Penalized) => Fit

/** Problems without a kink, by as many unknowns as there are rows or moving columns; null where both are too many. */
function atOnceOf(problem: RowProblem, factors: Float64Array, { lower, upper }: Penalized): SolveAtOnce | null {
  const moving = [...factors.keys()].filter((j) => lower[j] !== 0 || upper[j] !== 0)
  const rows = problem.columns.length
  if (Math.min(rows, moving.length) > MOST_AT_ONCE) return null
  if (moving.length < rows) {
    const primal = primalOf(problem, moving)
    return (penalized) => solvePrimal(primal, penalized)
  }
  const dual = dualOf(problem, factors, moving)
  return (penalized) => solveDual(dual, penalized)
}
