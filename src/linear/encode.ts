/** Columns of a table as the columns of X: numbers as they are, categories as one column a level. */

import type { TableColumn } from '../data/columns.js'
import { PareError } from '../util/errors.js'
import { type DenseMatrix, MOST, unfit } from './design.js'

/** What a model knows of a column: enough to encode new rows. */
export type Feature =
  | {
      readonly kind: 'number'
      readonly name: string
      /** Stands for missing cells; null where there were none. */
      readonly fill: number | null
    }
  | { readonly kind: 'category'; readonly name: string; readonly levels: readonly string[] }

export interface EncodeOptions {
  /** Missing numbers: an error, or the mean of the column over all rows. A missing category is none of the levels. Default `error`. */
  readonly missing?: 'error' | 'mean'
}

export interface Encoded {
  readonly x: DenseMatrix
  readonly features: readonly Feature[]
  /** `name`, or `name=level`: one for each column of X. */
  readonly names: readonly string[]
}

/** `weights`: of the rows, for means. Throws `TABLE_MISSING`, `DESIGN_FINITE` and `DESIGN_RANGE` with row and column. */
export function encode(
  columns: readonly TableColumn[],
  rows: number,
  options: EncodeOptions = {},
  weights?: ArrayLike<number>,
): Encoded {
  const features = columns.map((column) => featureOf(column, options, weights))
  const names = features.flatMap(namesOf)
  const width = names.length
  const data = new Float64Array(rows * width)
  let at = 0
  for (const [k, column] of columns.entries()) {
    const feature = features[k]!
    if (column.kind === 'number') {
      const fill = feature.kind === 'number' ? feature.fill : null
      for (let i = 0; i < rows; i++) {
        const v = column.values[i]!
        data[i * width + at] = Number.isNaN(v) ? fill! : v
      }
      at++
    } else {
      for (let i = 0; i < rows; i++) if (column.codes[i]! >= 0) data[i * width + at + column.codes[i]!] = 1
      at += column.levels.length
    }
  }
  return { x: { rows, columns: width, data }, features, names }
}

/** Of its columns of X. */
export const namesOf = (feature: Feature): readonly string[] =>
  feature.kind === 'number' ? [feature.name] : feature.levels.map((level) => `${feature.name}=${level}`)

function featureOf(
  column: TableColumn,
  { missing = 'error' }: EncodeOptions,
  weights: ArrayLike<number> | undefined,
): Feature {
  if (column.kind === 'category') return { kind: 'category', name: column.name, levels: column.levels }
  const odd = column.values.findIndex((v) => Math.abs(v) > MOST)
  if (odd >= 0) throw unfit(`row ${odd + 1}, column ${column.name}`, column.values[odd]!)
  const first = column.values.findIndex(Number.isNaN)
  if (first < 0) return { kind: 'number', name: column.name, fill: null }
  if (missing === 'error') {
    throw new PareError('TABLE_MISSING', 'a number is missing', {
      where: `row ${first + 1}, column ${column.name}`,
      remedy: 'Fill it in, remove the row or the column, or let the mean of the column stand for it.',
    })
  }
  let [sum, total] = [0, 0]
  for (const [i, v] of column.values.entries()) {
    const weight = Number.isNaN(v) ? 0 : (weights?.[i] ?? 1)
    if (weight > 0) sum += weight * v
    total += weight
  }
  if (total === 0) {
    throw new PareError('TABLE_MISSING', 'a column is empty', { where: column.name, remedy: 'Leave the column out.' })
  }
  return { kind: 'number', name: column.name, fill: sum / total }
}
