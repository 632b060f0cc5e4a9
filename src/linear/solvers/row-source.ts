/** Columns of a problem on rows: Gram entries of the working ones alone. */

import { columnAt, type RowProblem } from '../row-problem.js'
import type { Source } from './workspace.js'

export function rowSource({ columns, q, yy, project }: RowProblem): Source {
  return {
    q,
    yy,
    enter(working, from, { gram, stride }) {
      const list = Int32Array.from(working)
      for (let a = from; a < working.length; a++) {
        const column = columnAt(columns, working[a]!)
        project(column)
        const row = gram.subarray(a * stride, a * stride + a + 1)
        columns.products(list.subarray(0, a + 1), column, row)
        for (let b = 0; b < a; b++) gram[b * stride + a] = row[b]!
      }
    },
  }
}
