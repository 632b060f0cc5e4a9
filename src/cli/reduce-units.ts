/** Columns that have units of their own: what that does to distances between rows, and how it is mended. */

import type { DenseMatrix } from '../linear/design.js'
import { significant } from '../util/format.js'

/** Columns of mean 0 and standard deviation 1 (with 1/n); of a constant column zeros. */
export function standardized(x: DenseMatrix): DenseMatrix {
  const { rows, columns } = x
  const { means, deviations } = spreadOf(x)
  const data = Float64Array.from(x.data)
  for (let i = 0, at = 0; i < rows; i++)
    for (let j = 0; j < columns; j++, at++)
      data[at] = deviations[j] === 0 ? 0 : (data[at]! - means[j]!) / deviations[j]!
  return { rows, columns, data }
}

/** How many times one standard deviation is larger than another where the smaller one counts for nothing. */
const FAR = 100

/** What is to be said where some columns hardly count; null where all do. */
export function unequalUnits(x: DenseMatrix, names: readonly string[]): string | null {
  const { deviations } = spreadOf(x)
  let [least, most] = [-1, -1]
  for (const [j, s] of deviations.entries()) {
    if (s === 0) continue
    if (least < 0 || s < deviations[least]!) least = j
    if (most < 0 || s > deviations[most]!) most = j
  }
  if (least < 0 || deviations[most]! <= FAR * deviations[least]!) return null
  const told = (j: number): string => `${names[j]} has a standard deviation of ${significant(deviations[j]!, 2)}`
  return `column ${told(most)}, column ${told(least)}: beside the one the other hardly counts for who is near to whom; --standardize lets all columns count alike`
}

/** Of columns, with 1/n; 0 of a constant one. */
function spreadOf({ rows, columns, data }: DenseMatrix) {
  const means = new Float64Array(columns)
  const squares = new Float64Array(columns)
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++, at++) means[j]! += data[at]! / rows
  for (let i = 0, at = 0; i < rows; i++)
    for (let j = 0; j < columns; j++, at++) squares[j]! += (data[at]! - means[j]!) ** 2 / rows
  // What rounding leaves of a constant column is no deviation.
  const deviations = squares.map((v, j) => (v > (2 ** -40 * means[j]!) ** 2 ? Math.sqrt(v) : 0))
  return { means, deviations }
}
