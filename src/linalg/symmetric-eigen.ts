/**
 * Eigenvalues and vectors of a symmetric matrix in float64: Householder's reduction to a tridiagonal one, divide and
 * conquer, and the reflections applied to what that found.
 */

import type { Engine } from '../engine/engine.js'
import { openDenseKernel, plainDense } from '../kernels/dense-kernel.js'
import type { Reduction, Scratch } from '../kernels/dense-loops.js'
import { wholeBlocks } from '../kernels/gram-kernel.js'
import { PareError } from '../util/errors.js'
import { divideConquer } from './divide-conquer.js'
import type { Spectrum } from './implicit-ql.js'
import { copyRows, openProducts } from './products.js'
import { applyReflectors } from './reflectors.js'

export interface EigenOptions {
  /** Takes the large products. Without one all is done in compiled loops, on one thread. */
  readonly engine?: Engine | undefined
  /** Vectors of so many of the largest values alone; all values are found. Default: of all. */
  readonly largest?: number
}

/**
 * `a`: [n, n], of which the lower triangle is read. Values ascend, and row k of `vectors` belongs to values[k]; with
 * `largest` its rows belong to the last values. The same matrix gives the same bits on the same machine. Throws
 * `EIGEN_SHAPE`, `EIGEN_FINITE`.
 */
export async function symmetricEigen(
  a: Float64Array,
  n: number,
  { engine, largest = n }: EigenOptions = {},
): Promise<Spectrum> {
  if (a.length !== n * n) throw wrongShape(a.length, n)
  const scale = scaleOf(a, n)
  const reduction = reduced(a, n, scale)
  const products = openProducts(engine)
  try {
    const { values, vectors } = await divideConquer(reduction.diagonal, reduction.off, products, largest)
    return {
      values: values.map((v) => v * scale),
      vectors: await applyReflectors(vectors, reduction, products, engine),
    }
  } finally {
    await products.close()
  }
}

/** A power of two near the largest element: squares neither overflow nor vanish, and nothing is rounded. */
function scaleOf(a: Float64Array, n: number): number {
  let most = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const size = Math.abs(a[i * n + j]!)
      if (!(size < Number.POSITIVE_INFINITY)) throw notFinite(i, j, a[i * n + j]!)
      if (size > most) most = size
    }
  }
  return most === 0 ? 1 : 2 ** Math.max(-1022, Math.floor(Math.log2(most)))
}

/** Up to this size the compiled loops are not worth their memory; the plain ones give the same bits. */
const FEW = 24

function reduced(a: Float64Array, n: number, scale: number): Reduction {
  const stride = wholeBlocks(n)
  const { memory, tridiagonalize } = (n <= FEW ? plainDense : openDenseKernel)((n + 7) * stride)
  const part = (k: number): Float64Array => memory.subarray(k * stride, (k + 1) * stride)
  const rows = memory.subarray(7 * stride)
  copyRows(a, n, rows, stride, n)
  if (scale !== 1) for (let i = 0; i < rows.length; i++) rows[i]! /= scale
  const scratch: Scratch = [part(3), part(4), part(5), part(6)]
  const whole = { n, a: { data: rows, stride }, diagonal: part(0), off: part(1), tau: part(2) }
  tridiagonalize(whole, scratch)
  // Above the diagonal stands what was never touched.
  for (let i = 0; i < n; i++) rows.fill(0, i * stride + i, (i + 1) * stride)
  return { ...whole, diagonal: whole.diagonal.slice(0, n), off: whole.off.slice(0, Math.max(0, n - 1)) }
}

const wrongShape = (length: number, n: number): PareError =>
  new PareError('EIGEN_SHAPE', 'the matrix has the wrong number of elements', {
    value: length,
    remedy: `Give ${n} x ${n} = ${n * n}.`,
  })

const notFinite = (i: number, j: number, value: number): PareError =>
  new PareError('EIGEN_FINITE', 'the matrix has an element that is not finite', {
    where: `row ${i + 1}, column ${j + 1}`,
    value,
    remedy: 'Find what made it: no eigenvalues exist.',
  })
