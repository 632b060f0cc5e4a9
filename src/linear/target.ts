/** The column of a table that is predicted. */

import { unknownColumn } from '../data/column-names.js'
import type { NumberColumn, Table, TableColumn } from '../data/columns.js'
import { PareError } from '../util/errors.js'
import { counted } from '../util/format.js'
import { firstUnfit, unfit } from './design.js'

/**
 * Throws `TABLE_COLUMN` where there is none, `TABLE_MISSING` where a cell of it is missing, `DESIGN_EMPTY` where the table
 * has no rows or no other column, `DESIGN_FINITE` and `DESIGN_RANGE` where a number is none.
 */
export function targetColumn(table: Table, name: string): TableColumn {
  const column = table.columns.find((c) => c.name === name)
  if (column === undefined) {
    throw unknownColumn(
      table.name,
      name,
      table.columns.map((c) => c.name),
    )
  }
  checkExtent(table)
  const missing =
    column.kind === 'number' ? column.values.findIndex(Number.isNaN) : column.codes.findIndex((code) => code < 0)
  if (missing < 0) return checkedColumn(table, column)
  throw new PareError('TABLE_MISSING', 'the column to predict has a missing cell', {
    where: `${table.name}, row ${missing + 1}, column ${name}`,
    remedy: 'Fill it in, or remove the row.',
  })
}

function checkExtent({ name, rows, columns }: Table): void {
  const what =
    rows === 0
      ? 'the table has no rows under its header'
      : columns.length < 2
        ? 'the table has no column beside the one to predict'
        : null
  if (what === null) return
  throw new PareError('DESIGN_EMPTY', what, {
    where: name,
    value: `${counted(rows, 'row')}, ${counted(columns.length, 'column')}`,
    remedy: 'Give a table with rows, and with columns to predict from.',
  })
}

function checkedColumn(table: Table, column: TableColumn): TableColumn {
  if (column.kind === 'category') return column
  const at = firstUnfit(column.values)
  if (at < 0) return column
  throw unfit(`${table.name}, row ${at + 1}, column ${column.name}`, column.values[at]!)
}

/** Throws `TABLE_TARGET` where it holds text. */
export function numberTarget(table: Table, name: string): NumberColumn {
  const column = targetColumn(table, name)
  if (column.kind === 'number') return column
  throw new PareError('TABLE_TARGET', 'the column to predict holds text', {
    where: `${table.name}, column ${name}`,
    value: column.levels.slice(0, 3).join(', '),
    remedy: 'Name a column of numbers, or choose the family binomial or multinomial.',
  })
}

/** The cells: numbers, or text. */
export const cellsOf = (column: TableColumn): readonly (number | string)[] =>
  column.kind === 'number' ? Array.from(column.values) : Array.from(column.codes, (code) => column.levels[code]!)
