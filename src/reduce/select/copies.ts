/** Columns that say the same as another one. */

import type { TableColumn } from '../../data/columns.js'
import type { Variable } from './variables.js'

/** A column as it was given and as it was made ready. */
export interface Prepared {
  readonly column: TableColumn
  readonly variable: Variable
}

/**
 * Whether each of two columns tells the other: numbers that grow, or fall, strictly with each other, such as centimetres
 * and inches, or classes under other names.
 */
export function isCopy(a: Prepared, b: Prepared): boolean {
  const [x, y] = [a.variable, b.variable]
  if (x.kind === 'discrete')
    // Codes are in the order in which they first come.
    return y.kind === 'discrete' && x.levels === y.levels && x.codes.every((code, i) => code === y.codes[i])
  if (y.kind === 'discrete' || a.column.kind !== 'number' || b.column.kind !== 'number') return false
  return isMonotone(a.column.values, b.column.values, x.order)
}

function isMonotone(a: Float64Array, b: Float64Array, order: Int32Array): boolean {
  const direction = Math.sign(b[order.at(-1)!]! - b[order[0]!]!)
  for (let i = 1; i < order.length; i++) {
    const [before, row] = [order[i - 1]!, order[i]!]
    const isEqual = a[row] === a[before]
    if (Math.sign(b[row]! - b[before]!) !== (isEqual ? 0 : direction)) return false
  }
  return true
}
