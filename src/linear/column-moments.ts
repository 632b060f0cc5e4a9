/** Means and variances of the columns of X, by compiled loops. */

import { STRIP } from '../kernels/centre-loops.js'
import { type DenseMatrix, stridesOf } from './design.js'
import { openRowTile } from './row-tile.js'

export interface ColumnMoments {
  readonly means: Float64Array
  readonly variances: Float64Array
}

/** Strips that are summed together, while they lie in the cache. */
const HEIGHT = 4 * STRIP

/** Rows that tell where a column lies, about. */
const SAMPLE = 64

/** Of the rows `index`, which weigh `shares` with sum 1. */
export function columnMoments(x: DenseMatrix, index: Uint32Array, shares: Float64Array): ColumnMoments {
  const rows = index.length === x.rows ? {} : { rows: index }
  const tile = openRowTile(x, null, { columns: x.columns, height: HEIGHT, isSingle: true })
  const about = (shifts: Float64Array): ColumnMoments & { readonly away: Float64Array } => {
    const { sums, squares } = tile.begin({ shifts, factors: new Float64Array(x.columns).fill(1) })
    for (let from = 0; from < index.length; from += HEIGHT)
      tile.fill(from, Math.min(index.length, from + HEIGHT), { ...rows, shares })
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
