/** Means and variances of the columns of X, by compiled loops. */

import { STRIP } from '../kernels/centre-loops.js'
import { type DenseMatrix, stridesOf } from './design.js'
import { openRowTile } from './row-tile.js'
import type { Rows } from './rows.js'

export interface ColumnMoments {
  readonly means: Float64Array
  readonly variances: Float64Array
}

/** Numbers that are summed together, while they lie in the cache. */
const TOGETHER = 1 << 16

/** Rows that tell where a column lies, about. */
const SAMPLE = 64

/** Of the rows that count. */
export function columnMoments(
  x: DenseMatrix,
  { index, isAll, shares }: Pick<Rows, 'index' | 'isAll' | 'shares'>,
): ColumnMoments {
  const rows = isAll ? {} : { rows: index }
  const strips = Math.ceil(Math.min(index.length, TOGETHER / x.columns) / STRIP)
  const height = STRIP * Math.max(1, strips)
  const tile = openRowTile(x, null, { columns: x.columns, height, isSingle: true })
  const about = (shifts: Float64Array): ColumnMoments & { readonly away: Float64Array } => {
    const { sums, squares } = tile.begin({ shifts, factors: new Float64Array(x.columns).fill(1) })
    for (let from = 0; from < index.length; from += height)
      tile.fill(from, Math.min(index.length, from + height), { ...rows, shares })
    const away = sums.slice(0, x.columns)
    return {
      away,
      means: shifts.map((v, j) => v + away[j]!),
      variances: away.map((v, j) => Math.max(0, squares[j]! - v * v)),
    }
  }
  const first = about(sampleMeans(x, index))
  // Rows that tell little of the others: what is far from the mean cancels.
  const isNear = first.away.every((v, j) => v * v <= first.variances[j]!)
  return isNear ? first : about(first.means)
}

function sampleMeans(x: DenseMatrix, index: Uint32Array): Float64Array {
  const [byRow, byColumn] = stridesOf(x)
  const many = Math.min(index.length, SAMPLE)
  const means = new Float64Array(x.columns)
  for (let k = 0; k < many; k++) {
    const row = index[Math.floor((k * index.length) / many)]! * byRow
    for (let j = 0; j < x.columns; j++) means[j]! += x.data[row + j * byColumn]! / many
  }
  return means
}
