/** How much each point of the data belongs to others: p of t-SNE (van der Maaten and Hinton 2008, eqs. 1 and 2). */

import { openAffinityKernel } from '../../kernels/affinity-kernel.js'
import type { Neighbours } from '../neighbours.js'

/** A symmetric matrix with a sum of 1, row by row. */
export interface Affinities {
  readonly count: number
  /** Row i is entries `starts[i]` to `starts[i + 1]`, whole fours: filled up with the row itself at 0. */
  readonly starts: Int32Array
  readonly indices: Int32Array
  readonly values: Float32Array
  /** Σ p ln p */
  readonly entropy: number
}

export interface Conditionals {
  /** p(j|i) of the neighbours: [count, k], each row with a sum of 1. */
  readonly values: Float64Array
  /** The largest |perplexity reached − asked| of rows for which there is one that gives it. */
  readonly residual: number
}

/** exp(−β d²) with a β for each row that gives it the perplexity. */
export function conditionals({ count, k, squares }: Neighbours, perplexity: number): Conditionals {
  const width = k + (k % 2)
  const kernel = openAffinityKernel(count, width)
  const { distances, missed } = kernel
  if (width === k) distances.set(squares)
  else
    for (let i = 0; i < count; i++) {
      distances.set(squares.subarray(i * k, (i + 1) * k), i * width)
      distances[i * width + k] = Number.POSITIVE_INFINITY
    }
  kernel.weigh(Math.log(perplexity))
  // With many at the least distance no β makes them fewer.
  const reached = missed.map((miss) => perplexity * Math.expm1(miss))
  let residual = 0
  for (let i = 0; i < count; i++)
    if (!isTied(squares, i * k, k, perplexity)) residual = Math.max(residual, Math.abs(reached[i]!))
  if (width === k) return { values: distances, residual }
  const values = new Float64Array(count * k)
  for (let i = 0; i < count; i++) values.set(distances.subarray(i * width, i * width + k), i * k)
  return { values, residual }
}

/** Whether as many as the perplexity asks for are at the least distance. */
function isTied(squares: ArrayLike<number>, from: number, k: number, perplexity: number): boolean {
  const least = squares[from]!
  let count = 0
  while (count < k && squares[from + count]! === least) count++
  return count >= perplexity
}

/** (p(j|i) + p(i|j)) / 2n */
export function joint({ count, k, indices }: Neighbours, conditional: Float64Array): Affinities {
  // Of the transpose: how many entries each row has, then which.
  const heads = new Int32Array(count + 1)
  for (let e = 0; e < count * k; e++) heads[indices[e]! + 1]!++
  for (let i = 0; i < count; i++) heads[i + 1]! += heads[i]!
  const places = heads.slice(0, count)
  const from = new Int32Array(count * k)
  const entries = new Float64Array(count * k)
  for (let i = 0, e = 0; i < count; i++)
    for (let n = 0; n < k; n++, e++) {
      const at = places[indices[e]!]!++
      from[at] = i
      entries[at] = conditional[e]!
    }
  const starts = new Int32Array(count + 1)
  const own = new Int32Array(4 * Math.ceil((2 * count * k + 3 * count) / 4))
  const values = new Float32Array(own.length)
  // Where in the present row a column is.
  const where = new Int32Array(count).fill(-1)
  const share = 1 / (2 * count)
  let [end, entropy] = [0, 0]
  for (let i = 0; i < count; i++) {
    const begin = end
    for (let e = i * k; e < (i + 1) * k; e++) {
      where[indices[e]!] = end
      own[end] = indices[e]!
      values[end++] = share * conditional[e]!
    }
    for (let e = heads[i]!; e < heads[i + 1]!; e++) {
      const j = from[e]!
      if (where[j]! >= begin) values[where[j]!]! += share * entries[e]!
      else {
        own[end] = j
        values[end++] = share * entries[e]!
      }
    }
    for (let e = begin; e < end; e++) {
      const p = values[e]!
      if (p > 0) entropy += p * Math.log(p)
    }
    while (end % 4 !== 0) {
      own[end] = i
      values[end++] = 0
    }
    starts[i + 1] = end
  }
  return { count, starts, indices: own.subarray(0, end), values: values.subarray(0, end), entropy }
}
