/**
 * The Gaussian problem on its rows, without a Gram matrix: ½‖P(y − Zβ)‖² with P taking out what columns that no penalty
 * holds explain (Frisch and Waugh 1933). What is centred stays so, and z̃ⱼᵀr = zⱼᵀr for r = P r: columns are never changed.
 */

import { basisOf } from '../linalg/least-squares.js'
import type { Columns } from './columns.js'

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
  const n = columns.length
  const vectors = new Float64Array(free.length * n)
  for (const [k, j] of free.entries()) vectors.set(columnAt(columns, j), k * n)
  const { columns: basis, rank, coefficientsOf } = basisOf(vectors, n, free.length)
  const units = Array.from({ length: rank }, (_, k) => basis.subarray(k * n, (k + 1) * n))
  const project = (v: Float64Array): void => {
    // Again for what rounding left.
    for (let round = 0; round < 2; round++) for (const u of units) subtract(v, inner(u, v), u)
  }
  const left = y.slice()
  project(left)
  const isExplained = square(left) <= NOTHING * plain.yy
  if (isExplained) left.fill(0)
  const within = new Float64Array(p)
  for (const u of units) for (const [j, v] of productsOf(columns, u).entries()) within[j]! += v * v
  const isGone = (j: number): boolean => columns.squares[j]! - within[j]! <= NOTHING * columns.squares[j]!
  return {
    ...{ columns, y: left, q: productsOf(columns, left), yy: square(left), project, free },
    gone: Array.from({ length: p }, (_, j) => j).filter(isGone),
    complete(beta) {
      const residual = residualOf(columns, y, beta)
      const own = coefficientsOf(Float64Array.from(units, (u) => inner(u, residual)))
      const full = beta.slice()
      for (const [k, j] of free.entries()) full[j] = own[k]!
      return full
    },
  }
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

export function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

export const square = (v: Float64Array): number => inner(v, v)

function subtract(v: Float64Array, c: number, u: Float64Array): void {
  for (let i = 0; i < v.length; i++) v[i]! -= c * u[i]!
}
