/** The path on rows, for more columns than rows and for sparse X: no Gram matrix but that of a working set. */

import { throwIfAborted } from '../engine/failures.js'
import { standardColumns } from './columns.js'
import type { DesignMatrix } from './design.js'
import { emptyFit, type LinearPath, linearPath, type PathOptions } from './path.js'
import { dualityGap, type Fit, violation } from './quadratic.js'
import { rowProblem } from './row-problem.js'
import { rowSolver, solveRows } from './solvers/residual.js'
import { lambdasOf, termsOf } from './terms.js'

export interface RowPathOptions extends PathOptions {
  /** Rows that count. Default: all. */
  readonly rows?: ArrayLike<number>
}

export function rowPath(x: DesignMatrix, y: ArrayLike<number>, options: RowPathOptions): LinearPath {
  const { hasIntercept = true, isStandardized = true, tolerance = 1e-7, maxPasses = 10_000, signal } = options
  const { weights, rows } = options
  const t0 = performance.now()
  const standard = standardColumns(x, y, { weights, rows, hasIntercept, isStandardized })
  const t1 = performance.now()
  const terms = termsOf(standard, options)
  const problem = rowProblem(standard.columns, standard.y, terms.free)
  const { lower, upper } = terms.at(1)
  const solver = rowSolver(problem, (j) => lower[j] === 0 && upper[j] === 0)
  const whole = standard.y.reduce((s, v) => s + v * v, 0)
  const limits = { tolerance: (tolerance * whole) / (problem.yy || 1), maxPasses }
  let last: Fit = { beta: new Float64Array(problem.q.length), residual: problem.q.slice(), passes: 0 }
  const lambdas = lambdasOf(last.residual, terms, standard.used, options)
  const t2 = performance.now()
  const solved = Array.from(lambdas, (lambda) => {
    throwIfAborted(signal)
    const held = terms.heldAt(lambda)
    last = solveRows(solver, held, last, limits)
    const gap = dualityGap(problem, held, last)
    return { ...last, gap, violation: violation(terms.at(lambda), last), iterations: last.passes }
  })
  console.log('std', t1 - t0, 'prep', t2 - t1, 'path', performance.now() - t2, 'W', solver.workspace.working.length)
  return linearPath(
    { ...standard, problem: { gram: new Float64Array(0), q: problem.q, yy: problem.yy } },
    lambdas,
    solved,
  )
}
