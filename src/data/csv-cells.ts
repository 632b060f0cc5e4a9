/** CSV as a table of cells. Node only. */

import { type CellBlock, type CellColumn, type CellTable, numberIn } from './cells.js'
import { firstRecord } from './csv.js'
import { type CsvBlock, cellNumber, cellText, csvBlocks } from './csv-blocks.js'
import type { Source } from './source.js'

/** Throws `CSV_…`, also while it is read. */
export async function csvCells(source: Source, delimiter?: string): Promise<CellTable> {
  const first = await firstRecord(source, delimiter === undefined ? {} : { delimiter })
  return {
    name: source.name,
    names: first.columns,
    async *blocks(columns) {
      for await (const block of csvBlocks(source, first.delimiter, first.hasHeader)) {
        const skipped = first.hasHeader && block.before === 0 ? 1 : 0
        if (block.rows > skipped) yield cellsOf(block, columns, skipped)
      }
    },
    close: () => {},
  }
}

function cellsOf(block: CsvBlock, columns: readonly number[], skipped: number): CellBlock {
  const rows = block.rows - skipped
  return { rows, columns: columns.map((at) => columnOf(block, rows, skipped * block.width + at)) }
}

function columnOf(block: CsvBlock, rows: number, first: number): CellColumn {
  const { width, starts, ends } = block
  const text = (row: number): string => cellText(block, first + row * width).trim()
  return {
    text,
    numbers() {
      const out = new Float64Array(rows)
      for (let i = 0, cell = first; i < rows; i++, cell += width) {
        out[i] = cellNumber(block, cell)
        if (Number.isNaN(out[i]) && starts[cell] !== ends[cell]) out[i] = numberIn(text(i))
      }
      return out
    },
  }
}
