/** Bases for streams: which combinations of coordinates are kept, so that what reads them is changed least on the samples. */

import type { Engine } from '../../../engine/engine.js'
import { multiplied, transposed } from '../../../linalg/products.js'
import { symmetricEigen } from '../../../linalg/symmetric-eigen.js'
import { descending } from '../decompose.js'

/** What makes the stream is multiplied by `to` [kept, size], what reads it by `from` [size, kept]. */
export interface Basis {
  readonly kept: number
  readonly to: Float64Array
  readonly from: Float64Array
}

/** Directions of a stream of `size` coordinates, from the one that counts most to the one that counts least. */
export interface Directions {
  readonly size: number
  /** What each is worth, descending. */
  readonly squares: Float64Array
  /** The basis of the first `rank` of them. */
  basis(rank: number): Promise<Basis>
}

/** What one reader does with the coordinates x: `weights` = Σ WᵀW over its outputs, and `seen` = E[x xᵀ], both [size, size]. */
export interface ReaderView {
  readonly weights: Float64Array
  readonly seen: Float64Array
}

/** Of the largest eigenvalue of M: what no reader's weights see is taken to be seen by so much. */
const FLOOR = 1e-10

/**
 * P = M^-½ U Uᵀ M^½, where U are the first eigenvectors of M^½ C M^½: of all P of its rank it leaves the least
 * E‖W (x − P x)‖², M = WᵀW and C = E[x xᵀ], and what it leaves is the sum of the other eigenvalues (Eckart and Young 1936 on
 * W C^½). Of several readers M is the sum, each in parts of what its outputs hold, and C the mean, so weighted: exact for one.
 */
export async function readDirections(views: readonly ReaderView[], size: number, engine: Engine): Promise<Directions> {
  const [metric, seen] = [new Float64Array(size * size), new Float64Array(size * size)]
  let total = 0
  for (const view of views) {
    const energy = traceOfProduct(view.weights, view.seen)
    if (!(energy > 0)) continue
    const share = traceOf(view.weights, size) / energy
    for (let i = 0; i < metric.length; i++) {
      metric[i]! += view.weights[i]! / energy
      seen[i]! += share * view.seen[i]!
    }
    total += share
  }
  const shape = { m: size, k: size, n: size }
  const { values, vectors } = await symmetricEigen(metric, size, { engine })
  const floor = FLOOR * (values.at(-1)! > 0 ? values.at(-1)! : 1)
  const power = async (by: number): Promise<Float64Array> => {
    const scaled = vectors.map((v, i) => v * Math.max(values[Math.floor(i / size)]!, floor) ** by)
    return multiplied(transposed(vectors, size, size), scaled, shape, engine)
  }
  const [root, inverse] = [await power(1 / 2), await power(-1 / 2)]
  const half = await multiplied(
    root,
    seen.map((v) => v / (total || 1)),
    shape,
    engine,
  )
  const { squares, vectors: rows } = await descending(await multiplied(half, root, shape, engine), size, engine)
  return {
    size,
    squares,
    async basis(rank) {
      const u = rows.subarray(0, rank * size)
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
export async function normedDirections(
  seen: readonly Float64Array[],
  size: number,
  engine: Engine,
): Promise<Directions> {
  const sum = new Float64Array(size * size)
  for (const one of seen) for (let i = 0; i < sum.length; i++) sum[i]! += one[i]! / seen.length
  // The direction of the mean comes last, whatever rounding left of it.
  const trace = traceOf(sum, size)
  const { squares, vectors: rows } = await descending(
    sum.map((v) => v - trace / size),
    size,
    engine,
  )
  return {
    size,
    squares: squares.subarray(0, size - 1),
    async basis(rank) {
      const kept = rank + 1
      const to = await multiplied(helmert(rank), rows.subarray(0, rank * size), { m: kept, k: rank, n: size }, engine)
      return { kept, to, from: transposed(to, kept, size) }
    },
  }
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

function traceOf(a: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += a[i * (n + 1)]!
  return sum
}

/** tr(A B) of symmetric matrices. */
const traceOfProduct = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0)
