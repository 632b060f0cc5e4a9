/** Columns of a table without which there is no row: the one that is predicted, and others with a role of their own. */

import { unknownColumn } from '../data/column-names.js'
import type { Table, TableColumn } from '../data/columns.js'
import { PareError } from '../util/errors.js'
import { counted } from '../util/format.js'
import { firstUnfit, unfit } from './design.js'

/**
 * Throws `TABLE_COLUMN` where there is none, `TABLE_MISSING` where a cell of it is missing, `DESIGN_EMPTY` where the table
 * has no rows or no other column, `DESIGN_FINITE` and `DESIGN_RANGE` where a number is none.
 */
export function targetColumn(table: Table, name: string): TableColumn {
  const column = columnOf(table, name)
  checkExtent(table)
  return checkedColumn(table, column, 'the column to predict')
}

/** Numbers without which there is no row; `what` they are. Throws as `targetColumn`, and `TABLE_CELL` for text. */
export function roleNumbers(table: Table, name: string, what: string): Float64Array {
  const column = columnOf(table, name)
  if (column.kind === 'category') {
    throw new PareError('TABLE_CELL', `${what} holds text`, {
      where: `${table.name}, column ${name}`,
      value: column.levels[0],
      remedy: 'Name a column of numbers.',
    })
  }
  return checkedColumn(table, column, what).values
}

function columnOf(table: Table, name: string): TableColumn {
  const names = table.columns.map((c) => c.name)
  const column = table.columns[names.indexOf(name)]
  if (column === undefined) throw unknownColumn(table.name, name, names)
  return column
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

function checkedColumn<C extends TableColumn>(table: Table, column: C, what: string): C {
  const at = column.kind === 'number' ? firstUnfit(column.values) : column.codes.findIndex((code) => code < 0)
  if (at < 0) return column
  const where = `${table.name}, row ${at + 1}, column ${column.name}`
  if (column.kind === 'number' && !Number.isNaN(column.values[at])) throw unfit(where, column.values[at]!)
  throw new PareError('TABLE_MISSING', `${what} has a missing cell`, {
    where,
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
