/** Columns by how much they vary, without a target. */

import type { TableColumn } from '../../data/columns.js'
import { columnsOf, type FeatureOptions, type Features, namesOf, type Ranking, ranked } from './columns.js'

/**
 * Mean squared deviation of numbers, in the square of their unit. Of classes with shares p the sum of the variances of
 * their indicators, 1 − Σp². Throws `DESIGN_…`.
 */
export function variance(x: Features, options: FeatureOptions = {}): Ranking {
  const columns = columnsOf(x, options)
  return ranked(namesOf(columns), Float64Array.from(columns, varianceOf))
}

function varianceOf(column: TableColumn): number {
  if (column.kind === 'category') return 1 - shares(column.codes).reduce((sum, p) => sum + p * p, 0)
  const { values } = column
  const n = values.length
  // Where all are equal, rounding of the mean is not to look like something.
  const [first] = values
  let [sum, square] = [0, 0]
  for (let i = 0; i < n; i++) sum += values[i]! - first!
  const mean = sum / n
  for (let i = 0; i < n; i++) square += (values[i]! - first! - mean) ** 2
  return square / n
}

/** A missing cell is a class of its own. */
function shares(codes: Int32Array): readonly number[] {
  const counts = new Map<number, number>()
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1)
  return [...counts.values()].map((count) => count / codes.length)
}
