/**
 * The largest singular values of a matrix that is known by its products alone: a random sketch, power iterations that are
 * orthonormalized at every step, and the decomposition of what lies in their range (Halko, Martinsson and Tropp 2011,
 * algorithms 4.4 and 5.1).
 */

import { throwIfAborted } from '../engine/failures.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { random } from '../util/random.js'
import { openProducts, transposed } from './products.js'
import { type EngineOption, qrBy } from './tall-qr.js'
import { type Svd, thinSvd } from './thin-svd.js'

/** A matrix A as the products that it takes part in. */
export interface LinearOperator {
  readonly rows: number
  readonly columns: number
  /** AB of [columns, k]: [rows, k]. */
  multiply(b: Float64Array, k: number): Promise<Float64Array>
  /** AᵀB of [rows, k]: [columns, k]. */
  multiplyTransposed(b: Float64Array, k: number): Promise<Float64Array>
}

export interface RandomizedOptions extends EngineOption, Pick<RunOptions, 'signal' | 'seed' | 'onProgress'> {
  /** Directions beside those that are asked for. Default 10. */
  readonly oversampling?: number
  /** Default 7 for less than a tenth of all directions, otherwise 4. */
  readonly powerIterations?: number
}

/** Of the `count` largest: u [rows, count], s [count], vt [count, columns]. Throws `SVD_COUNT`, `RANDOM_SEED`. */
export async function randomizedSvd(a: LinearOperator, count: number, o: RandomizedOptions = {}): Promise<Svd> {
  const { rows, columns } = a
  const all = Math.min(rows, columns)
  if (!Number.isInteger(count) || count < 1 || count > all) throw wrongCount(count, all)
  const { oversampling = 10, powerIterations = count < 0.1 * all ? 7 : 4, seed = 0, signal, engine } = o
  const width = Math.min(all, count + oversampling)
  const { normal } = random(seed)
  const products = openProducts(engine)
  const report = (done: number): void =>
    o.onProgress?.({ task: 'finding singular vectors', done, total: powerIterations + 1 })
  try {
    const sketch = Float64Array.from({ length: columns * width }, () => normal())
    let { q } = await qrBy(products, await a.multiply(sketch, width), rows, width)
    for (let i = 0; i < powerIterations; i++) {
      throwIfAborted(signal)
      report(i)
      const across = await qrBy(products, await a.multiplyTransposed(q, width), columns, width)
      q = (await qrBy(products, await a.multiply(across.q, width), rows, width)).q
    }
    throwIfAborted(signal)
    report(powerIterations)
    // (QᵀA)ᵀ = U diag(s) Vᵀ, so A ≈ QV diag(s) Uᵀ.
    const { u, s, vt } = await thinSvd(await a.multiplyTransposed(q, width), columns, width, { engine })
    const shape = { m: rows, k: width, n: count }
    return {
      u: await products.multiply(q, transposed(vt.subarray(0, count * width), count, width), shape),
      s: s.slice(0, count),
      vt: transposed(u, columns, width).subarray(0, count * columns),
    }
  } finally {
    await products.close()
  }
}

const wrongCount = (count: number, all: number): PareError =>
  new PareError('SVD_COUNT', 'there are not so many singular values', {
    value: count,
    remedy: `Give a whole number from 1 to ${all}.`,
  })
