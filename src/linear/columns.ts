/**
 * The standardized columns of a design, zⱼ = √ω (xⱼ − mean) / scale with the shares ω of the rows, as what solvers on the
 * rows ask of them: products with vectors of rows. zⱼᵀzₖ are the entries of the Gram matrix that moments would give.
 */

import type { ColumnList, ColumnTerms } from '../kernels/column-loops.js'

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
