/** Columns of a table as the columns of X: numbers as they are, categories as one column a level. */

import type { TableColumn } from '../data/columns.js'
import type { NumberKind } from '../data/describe.js'
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
  { name, rows }: { readonly name: string; readonly rows: number },
  options: EncodeOptions = {},
  weights?: ArrayLike<number>,
): Encoded {
  const features = columns.map((column) => featureOf(column, name, options, weights))
  const names = namesOf(features)
  const width = names.length
  const data = new Float64Array(rows * width)
  fillRows(data, width, columns, features)
  return { x: { rows, columns: width, data }, features, names }
}

export const namesOf = (features: readonly Feature[]): readonly string[] =>
  features.flatMap((f) => (f.kind === 'number' ? [f.name] : f.levels.map((level) => `${f.name}=${level}`)))

/** Rows of X, `stride` numbers apart, where there are zeros. A number that is missing and not filled in stays NaN. */
export function fillRows(
  data: Float64Array,
  stride: number,
  columns: readonly TableColumn[],
  features: readonly Feature[],
): void {
  let at = 0
  for (const [k, column] of columns.entries()) {
    const feature = features[k]!
    if (column.kind === 'number') {
      const fill = feature.kind === 'number' ? (feature.fill ?? Number.NaN) : Number.NaN
      for (let i = 0, to = at; i < column.values.length; i++, to += stride) {
        const v = column.values[i]!
        data[to] = Number.isNaN(v) ? fill : v
      }
      at++
    } else {
      for (let i = 0; i < column.codes.length; i++)
        if (column.codes[i]! >= 0) data[i * stride + at + column.codes[i]!] = 1
      at += column.levels.length
    }
  }
}

function featureOf(
  column: TableColumn,
  table: string,
  options: EncodeOptions,
  weights: ArrayLike<number> | undefined,
): Feature {
  if (column.kind === 'category') return { kind: 'category', name: column.name, levels: column.levels }
  const odd = column.values.findIndex((v) => Math.abs(v) > MOST)
  if (odd >= 0) throw unfit(`${table}, row ${odd + 1}, column ${column.name}`, column.values[odd]!)
  const first = column.values.findIndex(Number.isNaN)
  const mean = (): number => {
    const sums = meanSums()
    for (let i = 0; i < column.values.length; i++) sums.add(column.values[i]!, weights?.[i] ?? 1)
    return sums.mean()
  }
  return numberFeature({ name: column.name, missing: first < 0 ? null : first + 1 }, table, mean, options)
}

/** The weighted mean of numbers that are there; NaN of none. */
export function meanSums() {
  let [sum, total] = [0, 0]
  return {
    add(value: number, weight: number): void {
      if (Number.isNaN(value) || weight === 0) return
      sum += weight * value
      total += weight
    },
    mean: (): number => (total === 0 ? Number.NaN : sum / total),
  }
}

/** `missing` is the first row without a number, from 1. Throws `TABLE_MISSING`. */
export function numberFeature(
  { name, missing }: Pick<NumberKind, 'name' | 'missing'>,
  table: string,
  mean: () => number,
  options: EncodeOptions,
): Feature {
  if (missing === null) return { kind: 'number', name, fill: null }
  if (options.missing !== 'mean') {
    throw new PareError('TABLE_MISSING', 'a number is missing', {
      where: `${table}, row ${missing}, column ${name}`,
      remedy: 'Fill it in, remove the row or the column, or let the mean of the column stand for it.',
    })
  }
  const fill = mean()
  if (!Number.isNaN(fill)) return { kind: 'number', name, fill }
  throw new PareError('TABLE_MISSING', 'a column is empty', {
    where: `${table}, column ${name}`,
    remedy: 'Leave the column out.',
  })
}
