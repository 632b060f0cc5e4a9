/** Columns by name: what is said where a name is none, or two. */

import { PareError } from '../util/errors.js'
import { nearest } from '../util/nearest.js'
import type { CellTable } from './cells.js'

/** Names that are listed. */
const TOP = 20

export function unknownColumn(where: string, name: string, names: readonly string[]): PareError {
  const meant = nearest(name, names)
  const rest = names.length > TOP ? `, … and ${names.length - TOP} more` : ''
  return new PareError('TABLE_COLUMN', `there is no such column; there are ${names.slice(0, TOP).join(', ')}${rest}`, {
    where,
    value: name,
    remedy: `${meant === null ? '' : `Did you mean ${meant}? `}Name one that there is.`,
  })
}

/** Throws `TABLE_COLUMN` where two have the same name. */
export function checkDistinct(
  where: string,
  names: readonly string[],
  remedy = 'Rename one of them in the first row.',
): void {
  const again = names.findIndex((name, k) => names.indexOf(name) < k)
  if (again < 0) return
  throw new PareError('TABLE_COLUMN', 'two columns have the same name', {
    where: `${where}, columns ${names.indexOf(names[again]!) + 1} and ${again + 1}`,
    value: names[again],
    remedy,
  })
}

/** Of a table, that it has the wanted columns, once each. Throws `TABLE_COLUMN`. */
export function checkColumns({ name, names }: Pick<CellTable, 'name' | 'names'>, wanted: readonly string[]): void {
  const unknown = wanted.find((column) => !names.includes(column))
  if (unknown !== undefined) throw unknownColumn(name, unknown, names)
  checkDistinct(
    name,
    names.filter((column) => wanted.includes(column)),
  )
}
