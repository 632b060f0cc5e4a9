/** The column of a table that is predicted. */

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

/**
 * Throws `TABLE_COLUMN` where there is none, `TABLE_MISSING` where a cell of it is missing, `DESIGN_EMPTY` where the table
 * has no rows or no other column, `DESIGN_FINITE` and `DESIGN_RANGE` where a number is none.
 */
export function targetColumn<C extends TableColumn | ColumnKind>(table: Columns<C>, name: string): C {
  const column = table.columns.find((c) => c.name === name)
  if (column === undefined) {
    throw unknownColumn(
      table.name,
      name,
      table.columns.map((c) => c.name),
    )
  }
  checkExtent(table)
  const missing = firstMissing(column)
  if (missing === null) {
    checkColumn(table.name, column)
    return column
  }
  throw new PareError('TABLE_MISSING', 'the column to predict has a missing cell', {
    where: `${table.name}, row ${missing}, column ${name}`,
    remedy: 'Fill it in, or remove the row.',
  })
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

/** Where the numbers are known. */
function checkColumn(where: string, column: TableColumn | ColumnKind): void {
  if (!('values' in column)) return
  const at = firstUnfit(column.values)
  if (at >= 0) throw unfit(`${where}, row ${at + 1}, column ${column.name}`, column.values[at]!)
}

/** Throws `TABLE_TARGET` where it holds text. */
export function numberTarget<C extends TableColumn | ColumnKind>(
  table: Columns<C>,
  name: string,
): Extract<C, { readonly kind: 'number' }> {
  const column: TableColumn | ColumnKind = targetColumn(table, name)
  if (column.kind === 'number') return column as Extract<C, { readonly kind: 'number' }>
  throw new PareError('TABLE_TARGET', 'the column to predict holds text', {
    where: `${table.name}, column ${name}`,
    value: column.levels.slice(0, 3).join(', '),
    remedy: 'Name a column of numbers, or choose the family binomial or multinomial.',
  })
}

/** The cells: numbers, or text. */
export const cellsOf = (column: TableColumn): readonly (number | string)[] =>
  column.kind === 'number' ? Array.from(column.values) : Array.from(column.codes, (code) => column.levels[code]!)
