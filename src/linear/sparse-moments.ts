/** Moments of sparse columns: each is centred once, row by row, and multiplied with what the others store. */

import type { SparseMatrix } from './design.js'
import type { MomentOptions, Moments } from './moments.js'

export function sparseMoments(x: SparseMatrix, y: ArrayLike<number>, { weights, rows }: MomentOptions): Moments {
  const { columns: p, columnStarts: starts, rowIndices: at, values } = x
  const m = p + 1
  const w = new Float64Array(x.rows)
  for (let i = 0; i < (rows?.length ?? x.rows); i++) {
    const row = rows === undefined ? i : rows[i]!
    w[row] = weights === undefined ? 1 : weights[row]!
  }
  const weight = w.reduce((sum, v) => sum + v, 0)
  const means = new Float64Array(m)
  for (let j = 0; j < p; j++)
    for (let k = starts[j]!; k < starts[j + 1]!; k++) means[j]! += (w[at[k]!]! / weight) * values[k]!
  for (let i = 0; i < x.rows; i++) means[p]! += (w[i]! / weight) * y[i]!
  const scatter = new Float64Array(m * m)
  const centred = new Float64Array(x.rows)
  for (let j = 0; j < m; j++) {
    for (let i = 0; i < x.rows; i++) centred[i] = j === p ? y[i]! - means[p]! : -means[j]!
    if (j < p) for (let k = starts[j]!; k < starts[j + 1]!; k++) centred[at[k]!]! += values[k]!
    if (j === p) scatter[p * m + p] = w.reduce((sum, v, i) => sum + v * centred[i]! ** 2, 0)
    for (let i = 0; i < x.rows; i++) centred[i]! *= w[i]!
    const left = centred.reduce((sum, v) => sum + v, 0)
    for (let k = 0; k < Math.min(j + 1, p); k++) {
      let sum = -means[k]! * left
      for (let i = starts[k]!; i < starts[k + 1]!; i++) sum += values[i]! * centred[at[i]!]!
      scatter[j * m + k] = sum
      scatter[k * m + j] = sum
    }
  }
  return { count: w.reduce((n, v) => n + Number(v > 0), 0), weight, means, scatter }
}
