/** Ridge and least squares on rows with no more columns than rows: (G + B) β = q of the columns that move. */

import type { Fit, Penalized } from '../quadratic.js'
import { productsOf, type RowProblem, residualOf } from '../row-problem.js'
import { factorize, solve } from './direct.js'
import { rowSource } from './row-source.js'
import { strideOf } from './workspace.js'

/** Made for one path: the columns that move stay the same along it. */
export interface Primal {
  readonly problem: RowProblem
  readonly moving: readonly number[]
  /** [moving, stride] */
  readonly gram: Float64Array
  readonly stride: number
}

export function primalOf(problem: RowProblem, moving: readonly number[]): Primal {
  const stride = strideOf(moving.length)
  const gram = new Float64Array(moving.length * stride)
  rowSource(problem).enter(moving, 0, { gram, stride })
  return { problem, moving, gram, stride }
}

/** Columns that depend on earlier ones get 0. */
export function solvePrimal({ problem, moving, gram, stride }: Primal, { l2 }: Penalized): Fit {
  const { columns, y, q, project } = problem
  const beta = new Float64Array(q.length)
  const own = Float64Array.from(moving, (j) => l2[j]!)
  const system = factorize({ gram, stride }, own, [...moving.keys()])
  let residual = q
  // Again for what rounding left, from the true residual.
  for (let round = 0; round < 3; round++) {
    const step = solve(
      system,
      Float64Array.from(moving, (j) => residual[j]! - l2[j]! * beta[j]!),
    )
    for (const [k, j] of moving.entries()) beta[j]! += step[k]!
    const left = residualOf(columns, y, beta)
    project(left)
    residual = productsOf(columns, left)
  }
  return { beta, residual, passes: 0 }
}
