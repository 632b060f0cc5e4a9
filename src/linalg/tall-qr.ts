/**
 * QR of a tall matrix by products: CholeskyQR2 (Yamamoto, Nakatsukasa, Yanagisawa and Fukaya 2015), with a shift where the
 * Gram matrix is not positive definite (Fukaya et al. 2020), and Householder's reflections where that is not enough.
 */

import type { Engine } from '../engine/engine.js'
import { PareError } from '../util/errors.js'
import { cholesky, inverseTransposed } from './cholesky.js'
import { householderQr, type Qr } from './householder-qr.js'
import { openProducts, type Products, transposed } from './products.js'

export interface EngineOption {
  /** Takes the large products. Without one all is done in compiled loops, on one thread. */
  readonly engine?: Engine | undefined
}

/** `a`: [rows, columns] with no more columns than rows. R's diagonal is positive but where reflections made it. Throws `QR_SHAPE`. */
export async function tallQr(
  a: Float64Array,
  rows: number,
  columns: number,
  { engine }: EngineOption = {},
): Promise<Qr> {
  if (columns > rows || a.length !== rows * columns) throw notTall(a.length, rows, columns)
  const products = openProducts(engine)
  try {
    return await qrBy(products, a, rows, columns)
  } finally {
    await products.close()
  }
}

/** With products that are open already. */
export async function qrBy(products: Products, a: Float64Array, rows: number, columns: number): Promise<Qr> {
  const of = (q: Float64Array, shift?: number): Promise<Step | null> => choleskyStep(products, q, rows, columns, shift)
  const plain = await twoSteps(await of(a), of)
  if (plain !== null) return plain
  // 11 (mn + n(n + 1)) u ‖A‖², with ‖A‖² ≤ ‖A‖_F².
  const square = a.reduce((sum, v) => sum + v * v, 0)
  const first = await of(a, 11 * (rows + columns + 1) * columns * 2 ** -53 * square)
  const second = first === null ? null : await of(first.q)
  const shifted = second === null ? null : await twoSteps({ q: second.q, r: times(second.r, first!.r, columns) }, of)
  return shifted ?? householderQr(a, rows, columns)
}

interface Step extends Qr {
  /** Largest element of |AᵀA − I|. */
  readonly distance: number
}

/** What the second step finds no farther from orthonormal, it makes so to rounding. */
const NEAR = 0.1

async function twoSteps(first: Qr | null, of: (q: Float64Array) => Promise<Step | null>): Promise<Qr | null> {
  if (first === null) return null
  const second = await of(first.q)
  if (second === null || !(second.distance < NEAR)) return null
  return { q: second.q, r: times(second.r, first.r, Math.sqrt(first.r.length)) }
}

/** R from AᵀA + shift I, and Q = AR⁻¹. */
async function choleskyStep(
  products: Products,
  a: Float64Array,
  rows: number,
  columns: number,
  shift = 0,
): Promise<Step | null> {
  const gram = await products.multiply(transposed(a, rows, columns), a, { m: columns, k: rows, n: columns })
  let distance = 0
  for (let i = 0; i < columns; i++)
    for (let j = 0; j <= i; j++) distance = Math.max(distance, Math.abs(gram[i * columns + j]! - Number(i === j)))
  for (let i = 0; i < columns; i++) gram[i * columns + i]! += shift
  const l = cholesky(gram, columns)
  if (l === null) return null
  const q = await products.multiply(a, inverseTransposed(l, columns), { m: rows, k: columns, n: columns })
  return { q, r: transposed(l, columns, columns), distance }
}

/** Of two upper triangular matrices. */
function times(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let k = i; k < n; k++) {
      const factor = a[i * n + k]!
      for (let j = k; j < n; j++) out[i * n + j]! += factor * b[k * n + j]!
    }
  return out
}

const notTall = (length: number, rows: number, columns: number): PareError =>
  new PareError('QR_SHAPE', 'a QR factorization takes a matrix with no more columns than rows', {
    value: `${length} numbers as ${rows} x ${columns}`,
    remedy: 'Give rows x columns numbers, or the transposed matrix.',
  })
