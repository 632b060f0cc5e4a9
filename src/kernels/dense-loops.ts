/**
 * Dense matrices in plain loops: Householder's reduction to a tridiagonal matrix, and products. assembly/dense.ts has the
 * same with 128-bit vectors: no sum changes its order, so both give the same bits.
 */

/** Row-major, `stride` numbers from one row to the next. */
export interface Block {
  readonly data: Float64Array
  readonly stride: number
}

export interface Reduction {
  readonly n: number
  /**
   * Symmetric, of which the lower triangle is read, its largest element near 1. Row i becomes uᵢ, with zeros from
   * column i on; above the diagonal nothing is read or written.
   */
  readonly a: Block
  /** Of the tridiagonal matrix: [n], and what stands beside it: [n − 1]. */
  readonly diagonal: Float64Array
  readonly off: Float64Array
  /** τᵢ; 0 is no reflection. */
  readonly tau: Float64Array
}

/** Room for four vectors of `stride` numbers. */
export type Scratch = readonly [Float64Array, Float64Array, Float64Array, Float64Array]

/** A sum of squares that counts as nothing beside 1, and above which none of its digits are lost. */
const TINY = 1e-290

/**
 * A = Q T Qᵀ, Q = Hₙ₋₁ ⋯ H₁, Hᵢ = I − τᵢ uᵢuᵢᵀ (Golub and Van Loan, Matrix Computations, 4th ed. 2013, 8.3.1), from the
 * last row up. A − uwᵀ − wuᵀ of one step waits for the next one, whose product with A needs the same elements.
 */
export function tridiagonalize({ n, a, diagonal, off, tau }: Reduction, [u, v, w, p]: Scratch): void {
  const { data, stride } = a
  v.fill(0)
  w.fill(0)
  for (let i = n - 1; i >= 0; i--) {
    const row = data.subarray(i * stride, (i + 1) * stride)
    const [vi, wi] = [v[i]!, w[i]!]
    for (let k = 0; k <= i; k++) row[k]! -= vi * w[k]! + wi * v[k]!
    diagonal[i] = row[i]!
    row[i] = 0
    v[i] = 0
    w[i] = 0
    if (i === 0) break
    const { edge, t } = reflect(row, i - 1)
    off[i - 1] = edge
    tau[i] = t
    u.fill(0)
    u.set(row.subarray(0, i))
    updateAndMultiply(i, a, u, v, w, p)
    let dot = 0
    for (let k = 0; k < i; k++) dot += p[k]! * u[k]!
    const half = 0.5 * t * t * dot
    for (let k = 0; k < i; k++) {
      w[k] = t * p[k]! - half * u[k]!
      v[k] = u[k]!
    }
  }
}

/** x to u with (I − τuuᵀ)x = edge · e_last. */
function reflect(x: Float64Array, last: number): { readonly edge: number; readonly t: number } {
  let square = 0
  for (let k = 0; k < last; k++) square += x[k]! * x[k]!
  const alpha = x[last]!
  if (square <= TINY) {
    x.fill(0, 0, last + 1)
    return { edge: alpha, t: 0 }
  }
  const norm = Math.sqrt(alpha * alpha + square)
  const beta = alpha > 0 ? -norm : norm
  const scale = 1 / (alpha - beta)
  for (let k = 0; k < last; k++) x[k]! *= scale
  x[last] = 1
  return { edge: beta, t: (beta - alpha) / beta }
}

/** A −= vwᵀ + wvᵀ and p = Au on the first i rows and columns; one more row takes part where i is odd, with v, w, u of 0. */
function updateAndMultiply(
  i: number,
  { data: a, stride }: Block,
  u: Float64Array,
  v: Float64Array,
  w: Float64Array,
  p: Float64Array,
): void {
  for (let b = 0; b < i; b += 2) {
    const r0 = b * stride
    const r1 = r0 + stride
    const [v0, v1] = [v[b]!, v[b + 1]!]
    const [w0, w1] = [w[b]!, w[b + 1]!]
    const [u0, u1] = [u[b]!, u[b + 1]!]
    // Sums of even and odd columns.
    const s0: [number, number] = [0, 0]
    const s1: [number, number] = [0, 0]
    for (let k = 0; k < b; k++) {
      const x = a[r0 + k]! - (v0 * w[k]! + w0 * v[k]!)
      const y = a[r1 + k]! - (v1 * w[k]! + w1 * v[k]!)
      a[r0 + k] = x
      a[r1 + k] = y
      s0[k & 1]! += x * u[k]!
      s1[k & 1]! += y * u[k]!
      p[k] = p[k]! + x * u0 + y * u1
    }
    const top = a[r0 + b]! - (v0 * w0 + w0 * v0)
    const left = a[r1 + b]! - (v1 * w0 + w1 * v0)
    const bottom = a[r1 + b + 1]! - (v1 * w1 + w1 * v1)
    a[r0 + b] = top
    a[r1 + b] = left
    a[r1 + b + 1] = bottom
    p[b] = s0[0] + s0[1] + top * u0 + left * u1
    p[b + 1] = s1[0] + s1[1] + left * u0 + bottom * u1
  }
}

/** C += AB of [m, k] and [k, n], in the order of k. */
export function addProduct(m: number, k: number, n: number, a: Block, b: Block, c: Block): void {
  for (let i = 0; i < m; i++) {
    const to = i * c.stride
    for (let l = 0; l < k; l++) {
      const factor = a.data[i * a.stride + l]!
      const row = l * b.stride
      for (let j = 0; j < n; j++) c.data[to + j]! += factor * b.data[row + j]!
    }
  }
}
