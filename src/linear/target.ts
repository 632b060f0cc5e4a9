/** Columns of a table without which there is no row: the one that is predicted, and others with a role of their own. */

import { unknownColumn } from '../data/column-names.js'
import type { TableColumn } from '../data/columns.js'
import type { ColumnKind } from '../data/describe.js'
import { PareError } from '../util/errors.js'
import { counted } from '../util/format.js'
import { firstUnfit, unfit } from './design.js'

/** A table, or what is known of its columns. */
export interface Columns<C extends TableColumn | ColumnKind> {
  readonly name: string
  readonly rows: number
  readonly columns: readonly C[]
}

export type NumbersOf<C> = Extract<C, { readonly kind: 'number' }>

/**
 * Throws `TABLE_COLUMN` where there is none, `TABLE_MISSING` where a cell of it is missing, `DESIGN_EMPTY` where the table
 * has no rows or no other column, `DESIGN_FINITE` and `DESIGN_RANGE` where a number is none.
 */
export function targetColumn<C extends TableColumn | ColumnKind>(table: Columns<C>, name: string): C {
  const column = columnOf(table, name)
  checkExtent(table)
  checkWhole(table.name, column, 'the column to predict')
  return column
}

/** Numbers without which there is no row; `what` they are. Throws as `targetColumn`, and `TABLE_CELL` for text. */
export function roleColumn<C extends TableColumn | ColumnKind>(
  table: Columns<C>,
  name: string,
  what: string,
): NumbersOf<C> {
  const column: TableColumn | ColumnKind = columnOf(table, name)
  if (column.kind === 'category') {
    throw new PareError('TABLE_CELL', `${what} holds text`, {
      where: `${table.name}, column ${name}`,
      value: column.levels[0],
      remedy: 'Name a column of numbers.',
    })
  }
  checkWhole(table.name, column, what)
  return column as NumbersOf<C>
}

function columnOf<C extends TableColumn | ColumnKind>(table: Columns<C>, name: string): C {
  const names = table.columns.map((c) => c.name)
  const column = table.columns[names.indexOf(name)]
  if (column === undefined) throw unknownColumn(table.name, name, names)
  return column
}

/** Throws `TABLE_MISSING`; and `DESIGN_FINITE` and `DESIGN_RANGE` where the numbers are known. */
function checkWhole(where: string, column: TableColumn | ColumnKind, what: string): void {
  const missing = firstMissing(column)
  if (missing !== null) {
    throw new PareError('TABLE_MISSING', `${what} has a missing cell`, {
      where: `${where}, row ${missing}, column ${column.name}`,
      remedy: 'Fill it in, or remove the row.',
    })
  }
  if (!('values' in column)) return
  const at = firstUnfit(column.values)
  if (at >= 0) throw unfit(`${where}, row ${at + 1}, column ${column.name}`, column.values[at]!)
}

/** From 1; null where no cell is missing. */
function firstMissing(column: TableColumn | ColumnKind): number | null {
  if ('missing' in column) return column.missing
  const at = column.kind === 'number' ? column.values.findIndex(Number.isNaN) : column.codes.findIndex((c) => c < 0)
  return at < 0 ? null : at + 1
}

function checkExtent({ name, rows, columns }: Columns<TableColumn | ColumnKind>): void {
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

/** Throws `TABLE_TARGET` where it holds text. */
export function numbersToPredict<C extends TableColumn | ColumnKind>(table: Columns<C>, column: C): NumbersOf<C> {
  const given: TableColumn | ColumnKind = column
  if (given.kind === 'number') return column as NumbersOf<C>
  throw new PareError('TABLE_TARGET', 'the column to predict holds text', {
    where: `${table.name}, column ${given.name}`,
    value: given.levels.slice(0, 3).join(', '),
    remedy: 'Name a column of numbers, or choose the family binomial or multinomial.',
  })
}

/** The cells: numbers, or text. */
export const cellsOf = (column: TableColumn): readonly (number | string)[] =>
  column.kind === 'number' ? Array.from(column.values) : Array.from(column.codes, (code) => column.levels[code]!)
