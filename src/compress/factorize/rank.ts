/** How many terms of a spectrum are kept: by the share of energy, or by what stands out from noise. */

import { countOf } from '../../reduce/pca-count.js'
import { vbmfRank } from './vbmf.js'

export type RankCriterion = 'bic' | 'vbmf'

/** Of a [short, long] matrix. */
export interface Spectrum {
  /** Squared singular values, descending, `short` of them. */
  readonly squares: Float64Array
  readonly long: number
}

/** The fewest terms that leave out no more than this share of the energy, at least 1. */
export function rankByTail({ squares }: Spectrum, tail: number): number {
  const total = squares.reduce((sum, v) => sum + v, 0)
  let rank = squares.length
  let dropped = 0
  while (rank > 1) {
    dropped += squares[rank - 1]!
    // The least rounding, so that a tail of 0 drops what is zero but for it.
    if (dropped > total * Math.max(tail, 1e-13)) break
    rank--
  }
  return rank
}

/** What rounding a weight to float32 leaves, as a share of the largest term: noise that is always there. */
const ROUNDING = 2 ** -45

/**
 * Terms that are more than white noise, at least 1. `bic` sees the `long` side as so many observations of `short`
 * variables: a low-rank matrix with noise is what probabilistic PCA describes, and its criterion serves as it is.
 */
export function rankByCriterion({ squares, long }: Spectrum, criterion: RankCriterion): number {
  if (squares.length < 2) return squares.length
  const noisy = squares.map((v) => Math.max(v, ROUNDING * squares[0]!))
  if (criterion === 'vbmf') return Math.max(1, vbmfRank(noisy, long))
  const variances = noisy.map((v) => v / long)
  return countOf('bic', variances, { rows: long, columns: squares.length })
}
