/** A whole table in memory, of any supported format. Node only. */

import { type Table, wholeTable } from './columns.js'
import { type DescribeOptions, describeTable } from './describe.js'
import { openTable, type TableFormat } from './open-table.js'
import type { Source } from './source.js'

export interface ColumnOptions extends DescribeOptions, TableFormat {}

/** Levels are in the order of the alphabet. Throws what `openTable` and `describeTable` throw. */
export async function readColumns(source: Source, options: ColumnOptions = {}): Promise<Table> {
  const cells = await openTable(source, options)
  try {
    return await wholeTable(cells, await describeTable(cells, options), options)
  } finally {
    cells.close()
  }
}
