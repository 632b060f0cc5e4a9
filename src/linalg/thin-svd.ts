/**
 * Thin singular value decomposition: QR, then one-sided Jacobi rotations of Rᵀ (Drmač and Veselić 2008), which find small
 * singular values as precisely as the matrix holds them: nothing is squared.
 */

import { householderQr } from './householder-qr.js'
import { openProducts, type Products, transposed } from './products.js'
import { symmetricEigen } from './symmetric-eigen.js'
import { type EngineOption, qrBy } from './tall-qr.js'

export interface Svd {
  /** [rows, k], columns orthonormal. */
  readonly u: Float64Array
  /** [k], descending. */
  readonly s: Float64Array
  /** [k, columns], rows orthonormal. */
  readonly vt: Float64Array
}

/** A = U diag(s) Vᵀ of `a`: [rows, columns], k = min(rows, columns); best where that is some hundreds at most. */
export async function thinSvd(
  a: Float64Array,
  rows: number,
  columns: number,
  options: EngineOption = {},
): Promise<Svd> {
  if (rows < columns) {
    const { u, s, vt } = await thinSvd(transposed(a, rows, columns), columns, rows, options)
    return { u: transposed(vt, rows, rows), s, vt: transposed(u, columns, rows) }
  }
  const products = openProducts(options.engine)
  try {
    const scale = powerOf(a)
    const { q, r } = await qrBy(products, scale === 1 ? a : a.map((v) => v / scale), rows, columns)
    const { turned, sizes, rotation } = await rotated(r, columns, products)
    // Rᵀ J = W with orthogonal columns, so R = J diag(s) (W / s)ᵀ.
    return {
      u: await products.multiply(q, rotation, { m: rows, k: columns, n: columns }),
      s: sizes.map((v) => v * scale),
      vt: turned,
    }
  } finally {
    await products.close()
  }
}

/** A power of two near the largest element. */
function powerOf(a: Float64Array): number {
  const most = a.reduce((m, v) => Math.max(m, Math.abs(v)), 0)
  return most === 0 ? 1 : 2 ** Math.max(-1022, Math.floor(Math.log2(most)))
}

interface Rotated {
  /** Columns of W, brought to length 1, as rows: [n, n]. */
  readonly turned: Float64Array
  /** Their lengths, descending. */
  readonly sizes: Float64Array
  /** J: [n, n] */
  readonly rotation: Float64Array
}

/** From this size on eigenvectors are a quicker start than none. */
const LARGE = 48

async function rotated(r: Float64Array, n: number, products: Products): Promise<Rotated> {
  // Row j of R is column j of Rᵀ, and row j of `j` column j of J.
  let w: Float64Array = r.slice()
  let j: Float64Array = new Float64Array(n * n)
  for (let i = 0; i < n; i++) j[i * n + i] = 1
  const shape = { m: n, k: n, n }
  if (n > LARGE) {
    const gram = await products.multiply(r, transposed(r, n, n), shape)
    j = (await symmetricEigen(gram, n)).vectors
    w = await products.multiply(j, r, shape)
  }
  orthogonalize(w, j, n)
  const lengths = Float64Array.from({ length: n }, (_, i) => Math.sqrt(square(w, i * n, n)))
  const order = [...lengths.keys()].sort((x, y) => lengths[y]! - lengths[x]!)
  const rows = (from: Float64Array): Float64Array => {
    const out = new Float64Array(n * n)
    for (const [to, i] of order.entries()) out.set(from.subarray(i * n, (i + 1) * n), to * n)
    return out
  }
  const sizes = Float64Array.from(order, (i) => lengths[i]!)
  return { turned: unitRows(rows(w), sizes), sizes, rotation: transposed(rows(j), n, n) }
}

/** Orthonormal, also where nothing says which way a row goes. */
function unitRows(w: Float64Array, sizes: Float64Array): Float64Array {
  const n = sizes.length
  const out = w.map((v, at) => v / (sizes[Math.floor(at / n)]! || 1))
  if (n === 0 || sizes[n - 1]! > 0) return out
  const { q, r } = householderQr(transposed(out, n, n), n, n)
  return transposed(q, n, n).map((v, at) => (r[Math.floor(at / n) * (n + 1)]! < 0 ? -v : v))
}

/** Sweeps over all pairs; some six are usual. */
const SWEEPS = 40

/** A square below which a row is nothing beside others of 1. */
const NOTHING = 1e-290

/** Rows of `w` turned in pairs until they are orthogonal (Hestenes 1958), and those of `j` with them. */
function orthogonalize(w: Float64Array, j: Float64Array, n: number): void {
  const tolerance = 2 ** -52 * Math.sqrt(n)
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let isDone = true
    for (let a = 0; a < n; a++) {
      for (let b = a + 1; b < n; b++) {
        const [x, y] = [square(w, a * n, n), square(w, b * n, n)]
        if (x <= NOTHING || y <= NOTHING) continue
        const dot = product(w, a * n, b * n, n)
        if (Math.abs(dot) <= tolerance * Math.sqrt(x) * Math.sqrt(y)) continue
        isDone = false
        const zeta = (y - x) / (2 * dot)
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta))
        const c = 1 / Math.hypot(1, t)
        turn(w, a * n, b * n, n, c, c * t)
        turn(j, a * n, b * n, n, c, c * t)
      }
    }
    if (isDone) break
  }
  for (let a = 0; a < n; a++) if (square(w, a * n, n) <= NOTHING) w.fill(0, a * n, (a + 1) * n)
}

const square = (w: Float64Array, at: number, n: number): number => product(w, at, at, n)

function product(w: Float64Array, a: number, b: number, n: number): number {
  let sum = 0
  for (let k = 0; k < n; k++) sum += w[a + k]! * w[b + k]!
  return sum
}

function turn(w: Float64Array, a: number, b: number, n: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const [x, y] = [w[a + k]!, w[b + k]!]
    w[a + k] = c * x - s * y
    w[b + k] = s * x + c * y
  }
}
