/** Columns of a problem on rows: Gram entries of the working ones alone. */

import { columnAt, type RowProblem } from '../row-problem.js'
import type { Source } from './workspace.js'

/** Columns of a block. */
const TOGETHER = 32

export function rowSource({ columns, q, yy, project }: RowProblem): Source {
  return {
    q,
    yy,
    enter(working, from, { gram, stride }) {
      const list = Int32Array.from(working)
      const fresh = working.slice(from).map((j) => columnAt(columns, j))
      for (const column of fresh) project(column)
      // Some working columns at a time, which stay in the cache until all fresh ones were multiplied with them.
      for (let left = 0; left < list.length; left += TOGETHER) {
        const right = Math.min(list.length, left + TOGETHER)
        for (const [k, column] of fresh.entries()) {
          const row = (from + k) * stride
          columns.products(list.subarray(left, right), column, gram.subarray(row + left, row + right))
        }
      }
      for (let a = from; a < list.length; a++)
        for (let b = 0; b < from; b++) gram[b * stride + a] = gram[a * stride + b]!
    },
  }
}
