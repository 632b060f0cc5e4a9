/** Sparse matrices for tests. */

import type { DenseMatrix, SparseMatrix } from '../src/linear/design.js'

/** The same matrix by columns, without its zeros; row-major comes in. */
export function sparse({ rows, columns, data }: DenseMatrix): SparseMatrix {
  const [columnStarts, rowIndices, values]: [number[], number[], number[]] = [[0], [], []]
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < rows; i++) {
      const v = data[i * columns + j]!
      if (v === 0) continue
      rowIndices.push(i)
      values.push(v)
    }
    columnStarts.push(values.length)
  }
  return { rows, columns, columnStarts, rowIndices, values: Float64Array.from(values) }
}
