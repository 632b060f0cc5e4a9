/** Products of a sparse matrix with itself, centred afterwards: no zero is ever written out. */

import type { SparseMatrix } from '../linear/design.js'
import type { Frame } from './centred-operator.js'

/** Means and deviations (with 1/n) of the columns, zeros counted. */
export function sparseColumnMoments({ rows, columns, columnStarts, values }: SparseMatrix) {
  const [means, variances] = [new Float64Array(columns), new Float64Array(columns)]
  for (let j = 0; j < columns; j++) {
    const [from, to] = [columnStarts[j]!, columnStarts[j + 1]!]
    let [sum, square] = [0, 0]
    for (let at = from; at < to; at++) sum += values[at]!
    const mean = sum / rows
    for (let at = from; at < to; at++) square += (values[at]! - mean) ** 2
    means[j] = mean
    variances[j] = (square + (rows - (to - from)) * mean * mean) / rows
  }
  return { means, variances }
}

/** Σ (x − mean)(x − mean)ᵀ of the rows x: [columns, columns]. */
export function sparseScatter(x: SparseMatrix, means: Float64Array): Float64Array {
  const { rows, columns: p } = x
  const { starts, columns, values } = byRows(x)
  const out = new Float64Array(p * p)
  for (let i = 0; i < rows; i++) {
    for (let a = starts[i]!; a < starts[i + 1]!; a++) {
      const [row, v] = [columns[a]! * p, values[a]!]
      for (let b = starts[i]!; b <= a; b++) out[row + columns[b]!]! += v * values[b]!
    }
  }
  for (let j = 0; j < p; j++)
    for (let k = 0; k <= j; k++) {
      out[j * p + k]! -= rows * means[j]! * means[k]!
      out[k * p + j] = out[j * p + k]!
    }
  return out
}

/** ZZᵀ of z = (x − mean) / scale: [rows, rows]. */
export function sparseRowGram(x: SparseMatrix, { means, scales }: Frame): Float64Array {
  const { rows: n, columns, columnStarts, rowIndices, values } = x
  const out = new Float64Array(n * n)
  // ZZᵀ = Σ (xxᵀ − m(1xᵀ + x1ᵀ) + m²11ᵀ) / s² over the columns.
  const across = new Float64Array(n)
  let all = 0
  for (let j = 0; j < columns; j++) {
    const factor = 1 / scales[j]! ** 2
    all += factor * means[j]! ** 2
    for (let a = columnStarts[j]!; a < columnStarts[j + 1]!; a++) {
      const [row, v] = [rowIndices[a]! * n, factor * values[a]!]
      across[rowIndices[a]!]! += v * means[j]!
      for (let b = columnStarts[j]!; b <= a; b++) out[row + rowIndices[b]!]! += v * values[b]!
    }
  }
  for (let i = 0; i < n; i++)
    for (let k = 0; k <= i; k++) {
      out[i * n + k]! += all - across[i]! - across[k]!
      out[k * n + i] = out[i * n + k]!
    }
  return out
}

/** Columns grow within a row. */
function byRows({ rows, columns: p, columnStarts, rowIndices, values: given }: SparseMatrix) {
  const starts = new Uint32Array(rows + 1)
  for (let at = 0; at < given.length; at++) starts[rowIndices[at]! + 1]!++
  for (let i = 0; i < rows; i++) starts[i + 1]! += starts[i]!
  const next = starts.slice(0, rows)
  const columns = new Uint32Array(given.length)
  const values = new Float64Array(given.length)
  for (let j = 0; j < p; j++)
    for (let at = columnStarts[j]!; at < columnStarts[j + 1]!; at++) {
      const to = next[rowIndices[at]!]!++
      columns[to] = j
      values[to] = given[at]!
    }
  return { starts, columns, values }
}
