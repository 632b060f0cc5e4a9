/** The path on rows: optimal by certificates from X itself, the same as by moments, and the same of sparse columns. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cases, certificates, hasNoGap, TOLERANCE } from '../../test/linear-certificates.js'
import { columnMajor, regression } from '../../test/regressions.js'
import { standardizer } from './columns.js'
import type { DenseMatrix, SparseMatrix } from './design.js'
import { momentsOf } from './moments.js'
import { pathOf } from './path.js'
import { rowPath } from './row-path.js'

/** What is stored is not zero. */
function sparse({ rows, columns, data }: DenseMatrix): SparseMatrix {
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

test('drawn problems are solved: gaps and optimality by way of the rows', () => {
  fc.assert(
    fc.property(cases, ({ options, ...spec }) => {
      const { x, y } = regression(spec)
      const found = rowPath(standardizer(x), y, options)
      for (const [i, c] of certificates(x, y, options, found).entries()) {
        expect(c.isInside).toBe(true)
        // Sums of squares are known to some units of the last place.
        const rounding = 1e-12 * c.yy
        expect(c.freely).toBeLessThan(1e-7)
        if (hasNoGap(options)) {
          const isSlow = found.iterations[i] === options.maxPasses && found.violation[i]! > 0.5 * c.violation
          const isOptimal = c.violation ** 2 <= TOLERANCE * 0.5 * c.yy * 1.01 + rounding
          expect(isSlow || isOptimal || c.gap <= TOLERANCE * 0.5 * c.yy + rounding).toBe(true)
        } else {
          expect(c.gap).toBeLessThanOrEqual(TOLERANCE * 0.5 * c.yy + rounding)
          expect(found.dualGap[i]!).toBeLessThanOrEqual(TOLERANCE + 1e-12)
        }
      }
    }),
    { numRuns: 60 },
  )
})
