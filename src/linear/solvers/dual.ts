/**
 * Ridge and least squares with more columns than rows, by as many unknowns as there are rows: with bⱼ = s vⱼ,
 * β = V⁻¹Zᵀα and (ZV⁻¹Zᵀ + s I) α = y (Saunders, Gammerman and Vovk 1998, eq. 8).
 */

import { outerSums } from '../moments.js'
import type { Fit, Penalized } from '../quadratic.js'
import { columnAt, productsOf, type RowProblem, residualOf } from '../row-problem.js'
import { factorize, solve } from './direct.js'

/** Of the largest element of ZV⁻¹Zᵀ, the s of a system without: else rows that depend on others had any α at all. */
const DAMPING = 1e-9

/** Made for one path: the columns that move, and the ratios of their penalties, stay the same along it. */
export interface Dual {
  readonly problem: RowProblem
  /** vⱼ */
  readonly factors: Float64Array
  readonly moving: readonly number[]
  /** ZV⁻¹Zᵀ of the columns that move: [length, length]. */
  readonly kernel: Float64Array
}

export function dualOf(problem: RowProblem, factors: Float64Array, moving: readonly number[]): Dual {
  const { columns, project } = problem
  const sums = outerSums(columns.length)
  for (const j of moving) {
    const column = columnAt(columns, j)
    project(column)
    sums.add(column, 1 / factors[j]!)
  }
  return { problem, factors, moving, kernel: sums.end() }
}

/** Of penalties s vⱼ; s = 0 is least squares, the shortest β of all. */
export function solveDual({ problem, factors, moving, kernel }: Dual, { l2 }: Penalized): Fit {
  const { columns, y, q, project } = problem
  const n = columns.length
  const beta = new Float64Array(q.length)
  const first = moving[0]
  if (first === undefined) return { beta, residual: q, passes: 0 }
  const strength = l2[first]! / factors[first]!
  const all = Array.from({ length: n }, (_, i) => i)
  const damped = strength || DAMPING * all.reduce((most, i) => Math.max(most, kernel[i * (n + 1)]!), 0)
  const system = factorize({ gram: kernel, stride: n }, new Float64Array(n).fill(damped), all)
  const alpha = new Float64Array(n)
  // Again for what rounding, or the damping, left: from the true residual.
  for (let round = 0; round < 3; round++) {
    const left = residualOf(columns, y, beta)
    project(left)
    const step = solve(
      system,
      left.map((v, i) => v - strength * alpha[i]!),
    )
    project(step)
    const found = productsOf(columns, step)
    for (let i = 0; i < n; i++) alpha[i]! += step[i]!
    for (const j of moving) beta[j]! += found[j]! / factors[j]!
  }
  const left = residualOf(columns, y, beta)
  project(left)
  return { beta, residual: productsOf(columns, left), passes: 0 }
}
