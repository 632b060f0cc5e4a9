/** Columns by their correlation with a target, and without those that correlate with a better one. */

import type { TableColumn } from '../../data/columns.js'
import { PareError } from '../../util/errors.js'
import {
  columnsOf,
  type FeatureOptions,
  type Features,
  namesOf,
  type Ranking,
  ranked,
  rowsOf,
  type Target,
  type TargetOptions,
  targetOf,
} from './columns.js'

export interface CorrelationOptions extends FeatureOptions, TargetOptions {
  /** `spearman` is Pearson's of the ranks, equal values having their mean rank. Default `pearson`. */
  readonly kind?: 'pearson' | 'spearman'
  /** A column that correlates more than this with a better one is passed over. Default 1: none. */
  readonly maxCorrelation?: number
}

export interface CorrelationRanking extends Ranking {
  /** The best first, without those that were passed over. */
  readonly order: readonly number[]
  /** By column: the better one for which it was passed over; null where it was not. */
  readonly passedFor: readonly (number | null)[]
}

/**
 * Of two columns of numbers |r|; of numbers and classes the correlation ratio η, the root of the share of the variance that
 * is between classes (Fisher 1925); of classes and classes Cramér's V (1946). All are |r| where classes are two. 0 where a
 * column is the same in all rows. Throws `DESIGN_…`, `SELECT_TARGET`, `SELECT_OPTION`.
 */
export function correlation(x: Features, y: Target, options: CorrelationOptions = {}): CorrelationRanking {
  const { kind = 'pearson', maxCorrelation = 1 } = options
  if (!(maxCorrelation >= 0 && maxCorrelation <= 1)) {
    throw new PareError('SELECT_OPTION', 'a correlation lies between 0 and 1', {
      where: 'maxCorrelation',
      value: maxCorrelation,
      remedy: 'Give a number of that size, as 0.95.',
    })
  }
  const columns = columnsOf(x, options)
  const target = standard(targetOf(y, rowsOf(columns[0]), options), kind)
  const standards = columns.map((column) => standard(column, kind))
  const ranking = ranked(
    namesOf(columns),
    Float64Array.from(standards, (column) => association(column, target)),
  )
  const passedFor = new Array<number | null>(columns.length).fill(null)
  if (maxCorrelation === 1) return { ...ranking, passedFor }
  const order: number[] = []
  for (const column of ranking.order) {
    const better = order.find((other) => association(standards[column]!, standards[other]!) > maxCorrelation)
    if (better === undefined) order.push(column)
    else passedFor[column] = better
  }
  return { ...ranking, order, passedFor }
}

/** Numbers of mean 0 and a sum of squares of 1, or all 0; or classes and how many rows are of each. */
type Standard =
  | { readonly kind: 'numbers'; readonly values: Float64Array }
  | { readonly kind: 'classes'; readonly codes: Int32Array; readonly counts: Float64Array }

function standard(column: TableColumn, kind: CorrelationOptions['kind']): Standard {
  if (column.kind === 'number')
    return { kind: 'numbers', values: normalized(kind === 'spearman' ? ranksOf(column.values) : column.values) }
  // A missing cell is a class of its own, the first.
  const codes = column.codes.map((code) => code + 1)
  const counts = new Float64Array(column.levels.length + 1)
  for (const code of codes) counts[code]!++
  return { kind: 'classes', codes, counts }
}

function association(a: Standard, b: Standard): number {
  // Of a column with itself it is no more than 1.
  return Math.min(1, strength(a, b))
}

function strength(a: Standard, b: Standard): number {
  if (a.kind === 'numbers') return b.kind === 'numbers' ? Math.abs(dot(a.values, b.values)) : ratio(a, b)
  return b.kind === 'numbers' ? ratio(b, a) : cramersV(a, b)
}

type Numbers = Extract<Standard, { readonly kind: 'numbers' }>
type Classes = Extract<Standard, { readonly kind: 'classes' }>

function ratio({ values }: Numbers, { codes, counts }: Classes): number {
  const sums = new Float64Array(counts.length)
  for (let i = 0; i < codes.length; i++) sums[codes[i]!]! += values[i]!
  return Math.sqrt(sums.reduce((sum, s, code) => (counts[code]! > 0 ? sum + (s * s) / counts[code]! : sum), 0))
}

/** √(χ² / n (K − 1)) with the smaller number of classes. */
function cramersV(a: Classes, b: Classes): number {
  const n = a.codes.length
  const used = (counts: Float64Array): number => counts.filter((count) => count > 0).length
  const least = Math.min(used(a.counts), used(b.counts)) - 1
  if (least === 0) return 0
  const cells = new Map<number, number>()
  for (let i = 0; i < n; i++) {
    const cell = a.codes[i]! * b.counts.length + b.codes[i]!
    cells.set(cell, (cells.get(cell) ?? 0) + 1)
  }
  // χ² / n + 1 = Σ n_ij² / n_i n_j
  let sum = 0
  for (const [cell, count] of cells)
    sum += count ** 2 / (a.counts[Math.floor(cell / b.counts.length)]! * b.counts[cell % b.counts.length]!)
  return Math.sqrt(Math.max(0, sum - 1) / least)
}

/** Brought to size first, so that no square is lost. */
function normalized(values: Float64Array): Float64Array {
  const n = values.length
  let [least, most] = [values[0]!, values[0]!]
  for (let i = 1; i < n; i++) {
    if (values[i]! < least) least = values[i]!
    if (values[i]! > most) most = values[i]!
  }
  const range = most - least
  if (range === 0) return new Float64Array(n)
  const out = values.map((v) => (v - least) / range)
  const mean = out.reduce((sum, v) => sum + v, 0) / n
  for (let i = 0; i < n; i++) out[i]! -= mean
  const length = Math.sqrt(dot(out, out))
  return out.map((v) => v / length)
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** From 1; equal values have the mean of their ranks. */
function ranksOf(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!)
  const ranks = new Float64Array(values.length)
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++
    for (let i = from; i < to; i++) ranks[order[i]!] = (from + 1 + to) / 2
  }
  return ranks
}
