/** Columns of a table without which there is no row: the one that is predicted, and others with a role of their own. */

import type { Table, TableColumn } from '../data/columns.js'
import { PareError } from '../util/errors.js'

/** Throws `TABLE_COLUMN` where there is none, `TABLE_MISSING` where a cell of it is missing. */
export function targetColumn(table: Table, name: string): TableColumn {
  const column = columnOf(table, name)
  checkWhole(table, column, 'the column to predict')
  return column
}

/** Throws `TABLE_COLUMN` where there is none. */
export function columnOf(table: Table, name: string): TableColumn {
  const column = table.columns.find((c) => c.name === name)
  if (column !== undefined) return column
  const names = table.columns.map((c) => c.name).join(', ')
  throw new PareError('TABLE_COLUMN', `there is no such column; there are ${names}`, {
    where: table.name,
    value: name,
    remedy: 'Name one of these.',
  })
}

/** Throws `TABLE_MISSING` where a cell is missing. */
export function checkWhole(table: Table, column: TableColumn, what: string): void {
  const missing =
    column.kind === 'number' ? column.values.findIndex(Number.isNaN) : column.codes.findIndex((code) => code < 0)
  if (missing < 0) return
  throw new PareError('TABLE_MISSING', `${what} has a missing cell`, {
    where: `${table.name}, row ${missing + 1}, column ${column.name}`,
    remedy: 'Fill it in, or remove the row.',
  })
}

/** Throws `TABLE_TARGET` where it holds text. */
export function numbersToPredict(table: Table, column: TableColumn): Float64Array {
  if (column.kind === 'number') return column.values
  throw new PareError('TABLE_TARGET', 'the column to predict holds text', {
    where: `${table.name}, column ${column.name}`,
    value: column.levels.slice(0, 3).join(', '),
    remedy: 'Name a column of numbers, or choose the family binomial or multinomial.',
  })
}

/** The cells: numbers, or text. */
export const cellsOf = (column: TableColumn): readonly (number | string)[] =>
  column.kind === 'number' ? Array.from(column.values) : Array.from(column.codes, (code) => column.levels[code]!)
