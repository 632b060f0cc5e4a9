/** How many columns are kept. */

import { PareError } from '../../util/errors.js'

/** A number of columns, a share of them below 1, or as many as the model of least BIC has. */
export type Keep = number | 'bic'

/** Throws `SELECT_KEEP`. */
export function countOf(keep: number, columns: number): number {
  if (keep > 0 && keep < 1) return Math.max(1, Math.round(keep * columns))
  checkCount(keep, columns)
  return keep
}

/** Throws `SELECT_KEEP`. */
export function checkCount(count: number, columns: number): void {
  if (Number.isSafeInteger(count) && count >= 1 && count <= columns) return
  throw new PareError('SELECT_KEEP', 'so many columns cannot be kept', {
    value: count,
    remedy: `Give a whole number from 1 to ${columns}, as many as there are, or a share below 1.`,
  })
}
