/**
 * The standardized columns of a design, zⱼ = √ω (xⱼ − mean) / scale with the shares ω of the rows, as what solvers on the
 * rows ask of them: products with vectors of rows. zⱼᵀzₖ are the entries of the Gram matrix that moments would give.
 */

import type { ColumnList, ColumnTerms } from '../kernels/column-loops.js'
import { denseColumns } from './dense-columns.js'
import { type DesignMatrix, isSparse, rowsWithWeight } from './design.js'
import { sparseColumns } from './sparse-columns.js'
import type { ScaleOptions, Scaling } from './standard.js'

/** Vectors of rows are of `length`, which may be more than there are rows; the rest is zero. */
export interface Columns {
  readonly length: number
  readonly count: number
  /** zⱼᵀzⱼ */
  readonly squares: Float64Array
  /** out[k] = z(list[k])ᵀ v, for all of `out`. */
  products(list: ColumnList, v: Float64Array, out: Float64Array): void
  /** target −= Σ cₖ z(list[k]). */
  subtract(list: ColumnList, coefficients: Float64Array, target: Float64Array): void
  /** A pass of coordinate descent over as many columns as there are in `beta`; returns the largest change. */
  pass(list: ColumnList, terms: ColumnTerms, beta: Float64Array, residual: Float64Array): number
}

export interface ColumnOptions extends ScaleOptions {
  readonly weights?: ArrayLike<number> | undefined
  /** Rows that count. Default: all. */
  readonly rows?: ArrayLike<number> | undefined
}

export interface StandardColumns extends Scaling {
  readonly columns: Columns
  /** √ω (y − mean) */
  readonly y: Float64Array
  /** Rows with a weight above 0. */
  readonly used: number
}

/** Of some rows of a design. What one call gives is gone with the next: room for the columns is taken once. */
export type Standardize = (y: ArrayLike<number>, options: ColumnOptions) => StandardColumns

export const standardizer = (x: DesignMatrix): Standardize => (isSparse(x) ? sparseColumns(x) : denseColumns(x))

export interface Shares {
  /** Rows with a weight above 0. */
  readonly index: Uint32Array
  /** √ω, with Σω = 1. */
  readonly roots: Float64Array
}

export function sharesOf(count: number, { weights, rows }: Pick<ColumnOptions, 'weights' | 'rows'>): Shares {
  const index = rowsWithWeight(count, { weights, rows })
  const raw = Float64Array.from(index, (i) => weights?.[i] ?? 1)
  const total = raw.reduce((sum, w) => sum + w, 0)
  return { index, roots: raw.map((w) => Math.sqrt(w / total)) }
}

export type Numbers = Float64Array | Float32Array

/** Of as many values as there are shares, from `at` on. In two steps: the second takes off what the first missed. */
export function meanOf(values: Numbers, at: number, shares: Float64Array): number {
  let [mean, missed] = [0, 0]
  for (let i = 0; i < shares.length; i++) mean += shares[i]! * values[at + i]!
  for (let i = 0; i < shares.length; i++) missed += shares[i]! * (values[at + i]! - mean)
  return mean + missed
}

/** Root of their mean squared distance from `mean`. */
export function spreadAbout(mean: number, values: Numbers, at: number, shares: Float64Array): number {
  let square = 0
  for (let i = 0; i < shares.length; i++) square += shares[i]! * (values[at + i]! - mean) ** 2
  return Math.sqrt(square)
}
