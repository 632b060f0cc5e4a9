/** The column of a table that is predicted. */

import type { TableColumn } from '../data/columns.js'
import type { ColumnKind } from '../data/describe.js'
import { PareError } from '../util/errors.js'

/** A table, or what is known of its columns. */
export interface Columns<C extends TableColumn | ColumnKind> {
  readonly name: string
  readonly columns: readonly C[]
}

/** Throws `TABLE_COLUMN` where there is none, `TABLE_MISSING` where a cell of it is missing. */
export function targetColumn<C extends TableColumn | ColumnKind>(table: Columns<C>, name: string): C {
  const column = table.columns.find((c) => c.name === name)
  if (column === undefined) {
    throw new PareError(
      'TABLE_COLUMN',
      `there is no such column; there are ${table.columns.map((c) => c.name).join(', ')}`,
      { where: table.name, value: name, remedy: 'Name one of these.' },
    )
  }
  const missing = firstMissing(column)
  if (missing === null) return column
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
