/** What every reader of tables gives: cells of many rows at a time, column by column, as often as asked. */

import { PareError } from '../util/errors.js'
import { parseNumber } from './table.js'

/** Good until the next block is asked for. */
export interface CellColumn {
  /** One for each row; NaN where the cell is missing, or text. */
  numbers(): Float64Array
  /** Of a cell, without spaces around it; empty where there is nothing. */
  text(row: number): string
}

export interface CellBlock {
  readonly rows: number
  readonly columns: readonly CellColumn[]
}

export interface CellTable {
  readonly name: string
  /** Of the columns. */
  readonly names: readonly string[]
  /** Columns by their index, in this order; from the first row each time. */
  blocks(columns: readonly number[]): AsyncIterable<CellBlock>
  close(): void
}

/** The first rows, after which nothing more is read. */
export function firstRows(cells: CellTable, limit: number): CellTable {
  return {
    ...cells,
    async *blocks(columns) {
      let left = limit
      for await (const block of cells.blocks(columns)) {
        const rows = Math.min(left, block.rows)
        yield rows === block.rows ? block : { rows, columns: block.columns.map((column) => cut(column, rows)) }
        left -= rows
        if (left === 0) return
      }
    },
  }
}

const cut = (column: CellColumn, rows: number): CellColumn => ({
  numbers: () => column.numbers().subarray(0, rows),
  text: (row) => column.text(row),
})

/** Cells that stand for nothing, beside empty ones. */
const MISSING = new Set(['na', 'n/a', 'nan', 'null', 'none', '-', '.'])

export const isMissing = (text: string): boolean => text === '' || (text.length <= 4 && MISSING.has(text.toLowerCase()))

/** Of values as readers give them: text, numbers, dates, null. */
export function valueColumn(values: readonly unknown[]): CellColumn {
  const text = (row: number): string => textOf(values[row])
  return {
    text,
    numbers: () => Float64Array.from(values, (v, row) => (typeof v === 'number' ? v : numberIn(text(row)))),
  }
}

/** NaN of what is missing, and of other text. */
export const numberIn = (text: string): number => (isMissing(text) ? Number.NaN : (parseNumber(text) ?? Number.NaN))

function textOf(cell: unknown): string {
  if (cell === null || cell === undefined) return ''
  return (cell instanceof Date ? cell.toISOString() : String(cell)).trim()
}

export const textAmongNumbers = (where: string, value: string): PareError =>
  new PareError('TABLE_CELL', 'a cell of a column of numbers is text', {
    where,
    value,
    remedy: 'Correct the cell, leave it empty where it is missing, or say that the column is a category.',
  })
