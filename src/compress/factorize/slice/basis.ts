/** Bases for streams: which combinations of coordinates are kept, so that what reads them is changed least on the samples. */

import type { Engine } from '../../../engine/engine.js'
import { multiplied, transposed } from '../../../linalg/products.js'
import { symmetricEigen } from '../../../linalg/symmetric-eigen.js'
import { secondMoments, shrunk, traceOf } from '../covariance.js'
import { descending } from '../decompose.js'
import type { ReaderView, Spread } from './views.js'

/** What makes the stream is multiplied by R, `to` [kept, size], what reads it by S, `from` [size, kept]. */
export interface Basis {
  readonly kept: number
  readonly to: Float64Array
  readonly from: Float64Array
}

/** Directions of a stream of `size` coordinates, from the one that counts most to the one that counts least. */
export interface Directions {
  readonly size: number
  /** What each holds, descending. */
  readonly squares: Float64Array
  /** What all vary by: less than the sum, for the mean, which no sample may lose, counts as what is held. */
  readonly variance: number
  /** The basis of the first `rank` of them. */
  basis(rank: number): Promise<Basis>
}

/** The fewest directions that leave out no more than this share of the variance, at least 1. */
export function rankOf({ squares, variance }: Directions, tail: number): number {
  const most = variance * tail
  let rank = squares.length
  for (let dropped = 0; rank > 1; rank--) {
    dropped += squares[rank - 1]!
    if (dropped > most) break
  }
  return rank
}

/** Share of the variance that so many directions keep. */
export function energyOf({ squares, variance }: Directions, rank: number): number {
  const dropped = squares.subarray(rank).reduce((sum, v) => sum + v, 0)
  return variance > 0 ? Math.max(0, 1 - dropped / variance) : 1
}

/** Of the largest eigenvalue of M: what no reader's weights see is taken to be seen by so much. */
const FLOOR = 1e-10

/**
 * P = M^-½ U Uᵀ M^½, where U are the first eigenvectors of M^½ C M^½: of all P of its rank it leaves the least
 * E‖W (x − P x)‖², M = WᵀW and C = E[x xᵀ], and what it leaves is the sum of the other eigenvalues (Eckart and Young 1936 on
 * W C^½). Of several readers M is the sum, each in parts of what its outputs vary by, and C the mean, so weighted: exact for
 * one, of one position.
 */
export async function readDirections(views: readonly ReaderView[], size: number, engine: Engine): Promise<Directions> {
  const [metric, covariance] = [new Float64Array(size * size), new Float64Array(size * size)]
  const squares = new Float64Array(size * size)
  const telling = views.flatMap(({ weights, covariance: seen, count, mean }) => {
    const own = shrunk(seen, size, count)
    const energy = traceOfProduct(weights, own)
    return energy > 0 ? [{ weights, own, mean, energy, worth: traceOf(weights, size) / energy }] : []
  })
  const all = telling.reduce((sum, { worth }) => sum + worth, 0)
  for (const { weights, own, mean, energy, worth } of telling) {
    addScaled(metric, weights, 1 / energy)
    addScaled(covariance, own, worth / all)
    addScaled(squares, secondMoments(own, mean), worth / all)
  }
  const shape = { m: size, k: size, n: size }
  const { values, vectors } = await symmetricEigen(metric, size, { engine })
  const floor = FLOOR * (values.at(-1)! > 0 ? values.at(-1)! : 1)
  const power = (by: number): Promise<Float64Array> => {
    const scaled = vectors.map((v, i) => v * Math.max(values[Math.floor(i / size)]!, floor) ** by)
    return multiplied(transposed(vectors, size, size), scaled, shape, engine)
  }
  const [root, inverse] = [await power(1 / 2), await power(-1 / 2)]
  const half = await multiplied(root, squares, shape, engine)
  const found = await descending(await multiplied(half, root, shape, engine), size, engine)
  return {
    size,
    squares: found.squares,
    variance: traceOfProduct(metric, covariance),
    async basis(rank) {
      const u = found.vectors.subarray(0, rank * size)
      const to = await multiplied(u, root, { m: rank, k: size, n: size }, engine)
      const from = await multiplied(inverse, transposed(u, rank, size), { m: size, k: size, n: rank }, engine)
      // Rows of length 1: coordinates are no larger than what they are made of.
      for (let k = 0; k < rank; k++) {
        const row = to.subarray(k * size, (k + 1) * size)
        const length = Math.hypot(...row)
        for (let i = 0; i < size; i++) {
          row[i]! /= length
          from[i * rank + k]! *= length
        }
      }
      return { kept: rank, to, from }
    },
  }
}

/**
 * Principal components of normalized coordinates, E[x̂ x̂ᵀ] (Ashkboos et al. 2024, SliceGPT), in a basis that a
 * LayerNormalization does not see: it takes the mean off, and so x̂ is held in r + 1 coordinates that sum to zero,
 * `to` = B Qᵀ and `from` = Q Bᵀ, with the rows of Helmert's matrix for the columns of B [r + 1, r].
 */
export async function normDirections(views: readonly Spread[], size: number, engine: Engine): Promise<Directions> {
  const [covariance, squares] = [new Float64Array(size * size), new Float64Array(size * size)]
  for (const { covariance: seen, count, mean } of views) {
    const own = shrunk(seen, size, count)
    addScaled(covariance, own, 1 / views.length)
    addScaled(squares, secondMoments(own, mean), 1 / views.length)
  }
  const centred = meanFree(squares, size)
  // The direction of the mean comes last.
  const trace = traceOf(centred, size)
  const found = await descending(
    centred.map((v) => v - trace / size),
    size,
    engine,
  )
  return {
    size,
    squares: found.squares.subarray(0, size - 1),
    variance: traceOf(meanFree(covariance, size), size),
    async basis(rank) {
      const kept = rank + 1
      const rows = found.vectors.subarray(0, rank * size)
      const to = await multiplied(helmert(rank), rows, { m: kept, k: rank, n: size }, engine)
      return { kept, to, from: transposed(to, kept, size) }
    },
  }
}

/** (I − 11ᵀ/n) A (I − 11ᵀ/n) of a symmetric matrix. */
function meanFree(a: Float64Array, n: number): Float64Array {
  const means = Float64Array.from(
    { length: n },
    (_, i) => a.subarray(i * n, (i + 1) * n).reduce((s, v) => s + v, 0) / n,
  )
  const all = means.reduce((s, v) => s + v, 0) / n
  return a.map((v, at) => v - means[Math.floor(at / n)]! - means[at % n]! + all)
}

/** [r + 1, r]: orthonormal columns that sum to zero. */
function helmert(r: number): Float64Array {
  const b = new Float64Array((r + 1) * r)
  for (let k = 0; k < r; k++) {
    const length = Math.sqrt((k + 1) * (k + 2))
    for (let i = 0; i <= k; i++) b[i * r + k] = 1 / length
    b[(k + 1) * r + k] = -(k + 1) / length
  }
  return b
}

function addScaled(sum: Float64Array, a: Float64Array, by: number): void {
  for (let at = 0; at < sum.length; at++) sum[at]! += by * a[at]!
}

/** tr(A B) of symmetric matrices. */
const traceOfProduct = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0)
