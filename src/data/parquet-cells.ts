/** Parquet as a table of cells, by the reader that needs nothing else. Node only. */

import { type CellTable, valueColumn } from './cells.js'
import { openParquet } from './parquet.js'
import type { Source } from './source.js'

const ROWS = 8192

/** Throws `PARQUET_READ`, also while it is read. */
export async function parquetCells(source: Source): Promise<CellTable> {
  const { columns: names, read } = await openParquet(source)
  return {
    name: source.name,
    names,
    async *blocks(columns) {
      let rows: (readonly unknown[])[] = []
      const block = () => ({
        rows: rows.length,
        columns: columns.map((at) => valueColumn(rows.map((cells) => cells[at]))),
      })
      for await (const cells of read()) {
        rows.push(cells)
        if (rows.length < ROWS) continue
        yield block()
        rows = []
      }
      if (rows.length > 0) yield block()
    },
    close: () => {},
  }
}
