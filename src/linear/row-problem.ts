/**
 * The Gaussian problem on its rows, without a Gram matrix: ½‖P(y − Zβ)‖² with P taking out what columns that no penalty
 * holds explain (Frisch and Waugh 1933). What is centred stays so, and z̃ⱼᵀr = zⱼᵀr for r = P r: columns are never changed.
 */

import type { Columns } from './columns.js'
import { factorize, solve } from './solvers/direct.js'

export interface RowProblem {
  readonly columns: Columns
  /** P y */
  readonly y: Float64Array
  /** zⱼᵀ P y, and yᵀ P y. */
  readonly q: Float64Array
  readonly yy: number
  /** P v, in place. */
  readonly project: (v: Float64Array) => void
  /** Columns that P takes out. */
  readonly free: readonly number[]
  /** Columns that nothing is left of. */
  readonly gone: readonly number[]
  /** With the coefficients of those taken out, of which `beta` has 0. */
  readonly complete: (beta: Float64Array) => Float64Array
}

/** What rounding alone may leave of a column or of y, relative to what it was. */
const NOTHING = 1e-12

export function rowProblem(columns: Columns, y: Float64Array, free: readonly number[]): RowProblem {
  const p = columns.count
  const plain: RowProblem = {
    ...{ columns, y, q: productsOf(columns, y), yy: square(y) },
    ...{ project: () => {}, free, gone: [], complete: (beta) => beta },
  }
  if (free.length === 0) return plain
  const { fitted, explained, list } = regression(columns, free)
  const project = (v: Float64Array): void => {
    // Again for what rounding left.
    for (let round = 0; round < 2; round++) columns.subtract(list, fitted(v), v)
  }
  const left = y.slice()
  project(left)
  const isExplained = square(left) <= NOTHING * plain.yy
  if (isExplained) left.fill(0)
  const within = explained()
  const isFree = new Set(free)
  const isGone = (j: number): boolean =>
    isFree.has(j) || columns.squares[j]! - within[j]! <= NOTHING * columns.squares[j]!
  return {
    columns,
    y: left,
    q: productsOf(columns, left),
    yy: square(left),
    project,
    free,
    gone: Array.from({ length: p }, (_, j) => j).filter(isGone),
    complete(beta) {
      const full = beta.slice()
      const residual = residualOf(columns, y, beta)
      for (let round = 0; round < 3; round++) {
        const step = fitted(residual)
        columns.subtract(list, step, residual)
        for (const [k, j] of free.entries()) full[j]! += step[k]!
      }
      return full
    },
  }
}

/** On some columns: coefficients of a vector, and of each column the square of what they explain. */
function regression(columns: Columns, free: readonly number[]) {
  const [n, p] = [free.length, columns.count]
  const list = Int32Array.from(free)
  const vectors = free.map((j) => columnAt(columns, j))
  const gram = new Float64Array(n * n)
  for (const [a, v] of vectors.entries()) columns.products(list, v, gram.subarray(a * n, a * n + n))
  const factors = factorize({ gram, stride: n }, new Float64Array(n), [...free.keys()])
  const fitted = (v: Float64Array): Float64Array => {
    const right = new Float64Array(n)
    columns.products(list, v, right)
    return solve(factors, right)
  }
  /** gᵀG⁻¹g with the products g of a column with the free ones. */
  const explained = (): Float64Array => {
    const products = vectors.map((v) => productsOf(columns, v))
    return Float64Array.from({ length: p }, (_, j) => {
      const g = Float64Array.from(products, (row) => row[j]!)
      return solve(factors, g).reduce((sum, w, a) => sum + w * g[a]!, 0)
    })
  }
  return { fitted, explained, list }
}

/** zⱼ row by row. */
export function columnAt(columns: Columns, j: number): Float64Array {
  const v = new Float64Array(columns.length)
  columns.subtract(Int32Array.of(j), Float64Array.of(-1), v)
  return v
}

/** y − Zβ, from nothing but the coefficients. */
export function residualOf(columns: Columns, y: Float64Array, beta: Float64Array): Float64Array {
  const residual = y.slice()
  const list = Int32Array.from([...beta.keys()].filter((j) => beta[j] !== 0))
  columns.subtract(
    list,
    Float64Array.from(list, (j) => beta[j]!),
    residual,
  )
  return residual
}

/** Zᵀv */
export function productsOf(columns: Columns, v: Float64Array): Float64Array {
  const out = new Float64Array(columns.count)
  columns.products(null, v, out)
  return out
}

export const square = (v: Float64Array): number => v.reduce((sum, x) => sum + x * x, 0)
