/** The loops of column-loops.ts, compiled where that is possible, with the columns that they work on. */

import {
  type ColumnData,
  type ColumnList,
  type ColumnTerms,
  columnPass,
  products,
  subtractColumns,
} from './column-loops.js'
import { COLUMNS_WASM } from './columns-wasm.js'
import { compiled } from './compiled.js'
import { BLOCK, wholeBlocks } from './gram-kernel.js'

/** Vectors of rows are of length `stride`, with zeros from `rows` on. */
export interface ColumnKernel extends ColumnData {
  readonly isCompiled: boolean
  /** out[k] = column(list[k])ᵀ v, for all of `out`. */
  readonly products: (list: ColumnList, v: Float64Array, out: Float64Array) => void
  /** target −= Σ cₖ column(list[k]). */
  readonly subtract: (list: ColumnList, coefficients: Float64Array, target: Float64Array) => void
  /** A pass of coordinate descent over as many columns as there are in `beta`; returns the largest change. */
  readonly pass: (list: ColumnList, terms: ColumnTerms, beta: Float64Array, residual: Float64Array) => number
}

/** Room for so many columns, zeros at first; the plain one where WebAssembly SIMD is missing, or they need over 4 GiB. */
export function openColumnKernel(rows: number, columns: number): ColumnKernel {
  return compiledColumns(rows, columns) ?? plainColumns(rows, columns)
}

export function plainColumns(rows: number, columns: number): ColumnKernel {
  const stride = wholeBlocks(rows)
  const data: ColumnData = { columns: new Float64Array(columns * stride), stride }
  return {
    ...data,
    isCompiled: false,
    products: (list, v, out) => products(data, list, v, out),
    subtract: (list, coefficients, target) => subtractColumns(data, list, coefficients, target),
    pass: (list, terms, beta, residual) => columnPass(data, list, terms, beta, residual),
  }
}

interface Exports {
  products(count: number, list: number, columns: number, bytes: number, v: number, out: number): void
  subtractColumns(
    count: number,
    list: number,
    columns: number,
    bytes: number,
    coefficients: number,
    target: number,
  ): void
  columnPass(
    count: number,
    list: number,
    columns: number,
    bytes: number,
    squares: number,
    l1: number,
    l2: number,
    lower: number,
    upper: number,
    beta: number,
    residual: number,
  ): number
}

const instance = compiled<Exports>(COLUMNS_WASM)

/** Null where it cannot be: no SIMD, a page that forbids WebAssembly, or more memory than it can have. */
export function compiledColumns(rows: number, columns: number): ColumnKernel | null {
  const stride = wholeBlocks(rows)
  const slot = wholeBlocks(columns)
  // Behind the columns: one vector of rows, six lists of numbers, and the list of columns.
  const words = columns * stride + stride + 7 * slot + BLOCK
  const made = instance(8 * words)
  if (made === null) return null
  const { calls, memory } = made
  const whole = new Float64Array(memory.buffer)
  let at = columns * stride
  const take = (length: number): Float64Array => {
    at += length
    return whole.subarray(at - length, at)
  }
  const vector = take(stride)
  const [values, squares, l1, l2, lower, upper] = Array.from({ length: 6 }, () => take(slot)) as [
    Float64Array,
    ...[Float64Array, Float64Array, Float64Array, Float64Array, Float64Array],
  ]
  // Address 0 says that there is no list; a list is never there unless there are no columns.
  const numbers = new Int32Array(memory.buffer, 8 * at, 2 * slot)
  const bytes = 8 * stride
  const listed = (list: ColumnList): number => {
    if (list === null) return 0
    numbers.set(list)
    return numbers.byteOffset
  }
  return {
    isCompiled: true,
    columns: whole.subarray(0, columns * stride),
    stride,
    products(list, v, out) {
      vector.set(v)
      calls.products(out.length, listed(list), 0, bytes, vector.byteOffset, values.byteOffset)
      out.set(values.subarray(0, out.length))
    },
    subtract(list, coefficients, target) {
      vector.set(target)
      values.set(coefficients)
      calls.subtractColumns(coefficients.length, listed(list), 0, bytes, values.byteOffset, vector.byteOffset)
      target.set(vector)
    },
    pass(list, terms, beta, residual) {
      vector.set(residual)
      values.set(beta)
      squares.set(terms.squares)
      l1.set(terms.l1)
      l2.set(terms.l2)
      lower.set(terms.lower)
      upper.set(terms.upper)
      const [a, b, c, d, e] = [squares.byteOffset, l1.byteOffset, l2.byteOffset, lower.byteOffset, upper.byteOffset]
      const [v, r] = [values.byteOffset, vector.byteOffset]
      const largest = calls.columnPass(beta.length, listed(list), 0, bytes, a, b, c, d, e, v, r)
      residual.set(vector)
      beta.set(values.subarray(0, beta.length))
      return largest
    },
  }
}
