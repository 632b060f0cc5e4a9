/**
 * QR by Householder reflections, without pivoting (Golub and Van Loan, Matrix Computations, 4th ed. 2013, algorithm
 * 5.2.1), in plain loops: Q is orthonormal whatever the matrix is.
 */

import { transposed } from './products.js'

export interface Qr {
  /** [rows, columns], columns orthonormal. */
  readonly q: Float64Array
  /** [columns, columns], upper triangular. */
  readonly r: Float64Array
}

/** `a`: [rows, columns] with no more columns than rows. */
export function householderQr(a: Float64Array, rows: number, columns: number): Qr {
  const work = transposed(a, rows, columns)
  const column = (j: number): Float64Array => work.subarray(j * rows, (j + 1) * rows)
  const r = new Float64Array(columns * columns)
  for (let k = 0; k < columns; k++) {
    const v = column(k)
    for (let i = 0; i < k; i++) r[i * columns + k] = v[i]!
    const size = norm(v.subarray(k))
    const edge = v[k]! > 0 ? -size : size
    r[k * columns + k] = edge
    v.fill(0, 0, k)
    v[k]! -= edge
    // Of length √2, so that H = I − vvᵀ; nothing to reflect is left as it is.
    const length = norm(v) * Math.SQRT1_2
    if (length > 0) for (let i = k; i < rows; i++) v[i]! /= length
    for (let j = k + 1; j < columns; j++) reflect(v, column(j), k)
  }
  const q = new Float64Array(columns * rows)
  for (let j = 0; j < columns; j++) {
    const unit = q.subarray(j * rows, (j + 1) * rows)
    unit[j] = 1
    for (let k = j; k >= 0; k--) reflect(column(k), unit, k)
  }
  return { q: transposed(q, columns, rows), r }
}

function reflect(v: Float64Array, c: Float64Array, from: number): void {
  let dot = 0
  for (let i = from; i < v.length; i++) dot += v[i]! * c[i]!
  if (dot !== 0) for (let i = from; i < v.length; i++) c[i]! -= dot * v[i]!
}

/** Scaled, so that squares neither overflow nor vanish. */
export function norm(v: Float64Array): number {
  let most = 0
  for (const x of v) most = Math.max(most, Math.abs(x))
  if (most === 0) return 0
  let sum = 0
  for (const x of v) sum += (x / most) ** 2
  return most * Math.sqrt(sum)
}
