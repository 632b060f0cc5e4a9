/** Principal directions of centred rows, by three ways that differ in what is small. */

import type { Engine } from '../engine/engine.js'
import { openProducts, type Products, transposed } from '../linalg/products.js'
import { randomizedSvd } from '../linalg/randomized-svd.js'
import { symmetricEigen } from '../linalg/symmetric-eigen.js'
import { qrBy } from '../linalg/tall-qr.js'
import { thinSvd } from '../linalg/thin-svd.js'
import { topEigen } from '../linalg/top-eigen.js'
import type { RunOptions } from '../util/env.js'
import { random } from '../util/random.js'
import type { CentredOperator } from './centred-operator.js'

export interface SolverOptions extends Pick<RunOptions, 'seed' | 'onProgress'> {
  readonly engine?: Engine | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Principal {
  /** [k] or more, descending: squares of singular values of the centred rows. */
  readonly energies: Float64Array
  /** [k, p], rows orthonormal. */
  readonly components: Float64Array
}

/** Takes the energies of all directions, and says how many are wanted; a number where that is known before. */
export type Wanted = number | ((energies: Float64Array) => number)

/** From the scatter matrix [p, p]. `all`: directions that there are, at most p. */
export async function byScatter(
  scatter: Float64Array,
  p: number,
  all: number,
  wanted: Wanted,
  o: SolverOptions,
): Promise<Principal> {
  const { values, vectors } = await largestPairs(scatter, p, all, wanted, o)
  return { energies: values, components: vectors }
}

/** Up to this size all eigenvalues take no longer than some. */
const FEW = 1500

/** Of a positive semidefinite matrix, descending. */
async function largestPairs(a: Float64Array, n: number, all: number, wanted: Wanted, o: SolverOptions) {
  const { engine, signal, seed } = o
  const clipped = (values: Float64Array): Float64Array => values.map((v) => Math.max(0, v))
  if (typeof wanted === 'number' && n > FEW) {
    const { values, vectors } = await topEigen(a, n, wanted, {
      engine,
      ...(signal && { signal }),
      ...(seed !== undefined && { seed }),
    })
    return { values: clipped(values), vectors }
  }
  const { values, vectors } = await symmetricEigen(a, n, {
    engine,
    ...(typeof wanted === 'number' && { largest: wanted }),
  })
  const descending = clipped(values).reverse().subarray(0, all)
  const k = typeof wanted === 'number' ? wanted : wanted(descending)
  const own = vectors.length / n
  const kept = new Float64Array(k * n)
  for (let i = 0; i < k; i++) kept.set(vectors.subarray((own - 1 - i) * n, (own - i) * n), i * n)
  return { values: descending, vectors: kept }
}

/** A part of the largest energy below which squares tell too little of a direction. */
const SQUARED = 1e-10

/**
 * From ZZᵀ, [n, n], for fewer rows than columns: components are Zᵀu / σ. Those of small σ are found anew from what Z does
 * with the small u, and where Z does nothing, they are drawn: what is orthogonal to all others.
 */
export async function byRowGram(
  gram: Float64Array,
  z: CentredOperator,
  wanted: Wanted,
  o: SolverOptions,
): Promise<Principal> {
  const { rows: n, columns: p } = z
  const { values, vectors } = await largestPairs(gram, n, Math.min(n, p), wanted, o)
  const k = vectors.length / n
  const image = await z.multiplyTransposed(transposed(vectors, k, n), k)
  const clear = values.subarray(0, k).findIndex((v) => !(v > SQUARED * values[0]!))
  const large = clear < 0 ? k : clear
  const products = openProducts(o.engine)
  try {
    const energies = values.slice()
    let found = (await qrBy(products, columnsOf(image, k, 0, large), p, large)).q
    if (large < k) {
      const rest = await without(products, found, columnsOf(image, k, large, k), p)
      const small = await thinSvd(rest, p, k - large, { engine: o.engine })
      const nothing = 2 ** -52 * Math.max(n, p) * Math.sqrt(values[0]!)
      const count = small.s.filter((s) => s > nothing).length
      for (let i = 0; i < k - large; i++) energies[large + i] = i < count ? small.s[i]! ** 2 : 0
      found = beside(found, columnsOf(small.u, k - large, 0, count), p)
      found = beside(found, await drawn(products, found, p, k - large - count, o.seed), p)
    }
    return { energies, components: transposed(found, p, k) }
  } finally {
    await products.close()
  }
}

/** Columns `from` to `to` of [rows, width]. */
function columnsOf(a: Float64Array, width: number, from: number, to: number): Float64Array {
  const count = to - from
  const rows = width === 0 ? 0 : a.length / width
  const out = new Float64Array(rows * count)
  for (let i = 0; i < rows; i++) out.set(a.subarray(i * width + from, i * width + to), i * count)
  return out
}

/** [A, B] of p rows each. */
function beside(a: Float64Array, b: Float64Array, p: number): Float64Array {
  const [left, right] = [a.length / p, b.length / p]
  const out = new Float64Array(a.length + b.length)
  for (let i = 0; i < p; i++) {
    out.set(a.subarray(i * left, (i + 1) * left), i * (left + right))
    out.set(b.subarray(i * right, (i + 1) * right), i * (left + right) + left)
  }
  return out
}

/** B − Q(QᵀB), twice: the first time leaves what rounding made of it. */
async function without(products: Products, q: Float64Array, b: Float64Array, p: number): Promise<Float64Array> {
  const [k, n] = [q.length / p, b.length / p]
  let left = b
  for (let round = 0; round < 2; round++) {
    const inner = await products.multiply(transposed(q, p, k), left, { m: k, k: p, n })
    const part = await products.multiply(q, inner, { m: p, k, n })
    left = left.map((v, at) => v - part[at]!)
  }
  return left
}

/** So many columns that are orthonormal, and orthogonal to Q. */
async function drawn(products: Products, q: Float64Array, p: number, count: number, seed = 0): Promise<Float64Array> {
  if (count === 0) return new Float64Array(0)
  const { normal } = random(seed)
  const block = Float64Array.from({ length: p * count }, () => normal())
  return (await qrBy(products, await without(products, q, block, p), p, count)).q
}

/** From products with the rows alone. */
export async function bySketch(z: CentredOperator, count: number, o: SolverOptions): Promise<Principal> {
  const { signal, seed, onProgress, engine } = o
  const { s, vt } = await randomizedSvd(z, count, {
    engine,
    ...(signal && { signal }),
    ...(seed !== undefined && { seed }),
    ...(onProgress && { onProgress }),
  })
  return { energies: s.map((v) => v * v), components: vt }
}
