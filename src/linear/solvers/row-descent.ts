/**
 * Descent on what is left of y itself, for working sets that are larger than their Gram matrix is worth: ridges with bounds,
 * elastic nets close to one. Extrapolated as in anderson.ts; residuals are extrapolated alike, being linear in β.
 */

import type { Penalized } from '../quadratic.js'
import { type RowProblem, residualOf, square } from '../row-problem.js'
import { mixOf } from './anderson.js'
import { type GramOptions, isSolved } from './compact-descent.js'
import { MEMORY } from './workspace.js'

/** Changes `beta` at the listed columns; `free` move along and are given back as 0. Returns the passes. */
export function descendRows(
  problem: RowProblem,
  listed: readonly number[],
  penalized: Penalized,
  beta: Float64Array,
  options: GramOptions,
): number {
  const { columns, free, project, q, yy } = problem
  const n = listed.length
  const list = Int32Array.from([...listed, ...free])
  const of = (values: Float64Array, otherwise: number): Float64Array =>
    Float64Array.from(list, (j, k) => (k < n ? values[j]! : otherwise))
  const terms = {
    squares: of(columns.squares, 0),
    l1: of(penalized.l1, 0),
    l2: of(penalized.l2, 0),
    lower: of(penalized.lower, Number.NEGATIVE_INFINITY),
    upper: of(penalized.upper, Number.POSITIVE_INFINITY),
  }
  for (const [k, j] of free.entries()) terms.squares[n + k] = columns.squares[j]!
  const own = (values: Float64Array): Float64Array => values.subarray(0, n)
  const held = { l1: own(terms.l1), l2: own(terms.l2), lower: own(terms.lower), upper: own(terms.upper) }
  const b = of(beta, 0)
  const left = residualOf(columns, problem.y, beta)
  project(left)
  const correlations = new Float64Array(n)
  const [values, residuals] = [new Float64Array((1 + MEMORY) * b.length), new Float64Array((1 + MEMORY) * left.length)]
  const keep = (k: number): void => {
    values.set(b, k * b.length)
    residuals.set(left, k * left.length)
  }
  const isDone = (): boolean => {
    const projected = left.slice()
    project(projected)
    columns.products(list.subarray(0, n), projected, correlations)
    const fit = { beta: own(b), residual: correlations, passes: 0 }
    const problemOf = { q: Float64Array.from(listed, (j) => q[j]!), yy }
    return isSolved(problemOf, held, fit, { ...options, tolerance: 0.9 * options.tolerance })
  }
  let passes = 0
  for (let largest = 1; passes < options.maxPasses && largest > 0 && !isDone(); ) {
    keep(0)
    for (let k = 1; k <= MEMORY && passes < options.maxPasses; k++, passes++) {
      largest = columns.pass(list, terms, b, left)
      keep(k)
    }
    extrapolate({ ...terms, values, residuals }, b, left)
  }
  for (let k = 0; k < n; k++) beta[listed[k]!] = b[k]!
  return passes
}

interface Iterates extends Penalized {
  /** [1 + MEMORY, …] */
  readonly values: Float64Array
  readonly residuals: Float64Array
}

/** Goes to Σ cₖβₖ where that is within the bounds and the objective is lower there. */
function extrapolate(iterates: Iterates, beta: Float64Array, left: Float64Array): void {
  const { values, residuals, lower, upper } = iterates
  const c = mixOf(values, beta.length, beta.length)
  if (c === null) return
  const [point, residual] = [mixed(values, c, beta.length), mixed(residuals, c, left.length)]
  for (let k = 0; k < point.length; k++) if (point[k]! < lower[k]! || point[k]! > upper[k]!) return
  if (!(objective(iterates, point, residual) < objective(iterates, beta, left))) return
  beta.set(point)
  left.set(residual)
}

function mixed(iterates: Float64Array, c: Float64Array, length: number): Float64Array {
  const sum = new Float64Array(length)
  for (let k = 0; k < MEMORY; k++)
    for (let i = 0, at = (k + 1) * length; i < length; i++, at++) sum[i]! += c[k]! * iterates[at]!
  return sum
}

function objective({ l1, l2 }: Penalized, beta: Float64Array, residual: Float64Array): number {
  let sum = 0.5 * square(residual)
  for (let k = 0; k < beta.length; k++) sum += l1[k]! * Math.abs(beta[k]!) + 0.5 * l2[k]! * beta[k]! * beta[k]!
  return sum
}
