/** What is no sparse matrix is refused, with the place. */

import { expect, test } from 'vitest'
import { checkDesign, type SparseMatrix } from './design.js'

/** Columns (1, ·, 2), (·, ·, ·), (·, 3, 4). */
const X: SparseMatrix = {
  rows: 3,
  columns: 3,
  columnStarts: [0, 2, 2, 4],
  rowIndices: [0, 2, 1, 2],
  values: Float64Array.of(1, 2, 3, 4),
}

test('compressed columns in order pass', () => {
  expect(() => checkDesign(X, [1, 2, 3])).not.toThrow()
})

test.each([
  [{ columnStarts: [0, 2, 4] }, 'DESIGN_SHAPE', 'the column starts of X has the wrong length'],
  [{ rowIndices: [0, 2, 1] }, 'DESIGN_SHAPE', 'the row indices of X has the wrong length'],
  [{ columnStarts: [1, 2, 2, 4] }, 'DESIGN_SPARSE', 'X, the first column start'],
  [{ columnStarts: [0, 2, 1, 4] }, 'DESIGN_SPARSE', 'X, column start 3'],
  [{ columnStarts: [0, 2, 2, 5] }, 'DESIGN_SPARSE', 'X, column start 4'],
  [{ columnStarts: [0, 2, 2, 3] }, 'DESIGN_SPARSE', 'X, the last column start'],
  [{ rowIndices: [0, 3, 1, 2] }, 'DESIGN_SPARSE', 'X, row index 2, in column 1'],
  [{ rowIndices: [2, 0, 1, 2] }, 'DESIGN_SPARSE', 'X, row index 2, in column 1'],
  [{ rowIndices: [0, 2, 1, 1] }, 'DESIGN_SPARSE', 'X, row index 4, in column 3'],
  [{ values: Float64Array.of(1, 2, Number.NaN, 4) }, 'DESIGN_FINITE', 'X, row 2, column 3'],
  [{ rows: 0 }, 'DESIGN_EMPTY', 'nothing to fit'],
  [{ rows: 4 }, 'DESIGN_SHAPE', 'y has the wrong length'],
] as const)('%j is refused', (change, code, where) => {
  let thrown: unknown
  try {
    checkDesign({ ...X, ...change }, [1, 2, 3])
  } catch (error) {
    thrown = error
  }
  expect(thrown).toMatchObject({ code })
  expect(String((thrown as { detail: { where?: string } }).detail.where ?? thrown)).toContain(where)
})
