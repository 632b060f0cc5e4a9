/**
 * The standardized columns of a design, zⱼ = √ω (xⱼ − mean) / scale with the shares ω of the rows, as what solvers on the
 * rows ask of them: products with vectors of rows. zⱼᵀzₖ are the entries of the Gram matrix that moments would give.
 */

import type { ColumnList, ColumnTerms } from '../kernels/column-loops.js'
import { denseColumns } from './dense-columns.js'
import { type DesignMatrix, isSparse } from './design.js'
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
  const given = rows === undefined ? Uint32Array.from({ length: count }, (_, i) => i) : Uint32Array.from(rows)
  const index = weights === undefined ? given : given.filter((i) => weights[i]! > 0)
  const raw = Float64Array.from(index, (i) => weights?.[i] ?? 1)
  const total = raw.reduce((sum, w) => sum + w, 0)
  return { index, roots: raw.map((w) => Math.sqrt(w / total)) }
}
