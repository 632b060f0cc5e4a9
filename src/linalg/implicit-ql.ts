/** Eigenvalues and vectors of a small tridiagonal matrix by the QL algorithm with implicit shifts. */

import { PareError } from '../util/errors.js'

export interface Spectrum {
  /** Ascending. */
  readonly values: Float64Array
  /** [n, n]: row k is the vector of values[k]. */
  readonly vectors: Float64Array
}

/** Rotations of one eigenvalue; some two are usual. */
const MOST = 60

const EPSILON = 2 ** -52

/** Martin and Wilkinson 1968. `diagonal`: [n], `off`: [n − 1]; neither is changed. */
export function implicitQl(diagonal: Float64Array, off: Float64Array): Spectrum {
  const n = diagonal.length
  const d = diagonal.slice()
  const e = new Float64Array(n)
  e.set(off)
  const vectors = new Float64Array(n * n)
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1
  for (let l = 0; l < n; l++) {
    for (let round = 0; ; round++) {
      const m = blockEnd(d, e, l)
      if (m === l) break
      if (round === MOST) throw stuck()
      sweep(d, e, vectors, l, m)
    }
  }
  return sorted(d, vectors)
}

/** The last index of the block that begins at `l`: what stands beside the diagonal there is rounding. */
function blockEnd(d: Float64Array, e: Float64Array, l: number): number {
  let m = l
  while (m + 1 < d.length && Math.abs(e[m]!) > EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++
  return m
}

function sweep(d: Float64Array, e: Float64Array, vectors: Float64Array, l: number, m: number): void {
  // Wilkinson's shift.
  const half = (d[l + 1]! - d[l]!) / (2 * e[l]!)
  const length = Math.hypot(half, 1)
  let g = d[m]! - d[l]! + e[l]! / (half + (half >= 0 ? length : -length))
  let [s, c, p] = [1, 1, 0]
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i]!
    const b = c * e[i]!
    const r = Math.hypot(f, g)
    e[i + 1] = r
    if (r === 0) {
      // The block falls apart by itself.
      d[i + 1]! -= p
      e[m] = 0
      return
    }
    s = f / r
    c = g / r
    g = d[i + 1]! - p
    const t = (d[i]! - g) * s + 2 * c * b
    p = s * t
    d[i + 1] = g + p
    g = c * t - b
    rotateRows(vectors, i, i + 1, d.length, c, s)
  }
  d[l]! -= p
  e[l] = g
  e[m] = 0
}

/** (x, y) to (cx − sy, sx + cy) */
export function rotateRows(rows: Float64Array, x: number, y: number, n: number, c: number, s: number): void {
  const [a, b] = [x * n, y * n]
  for (let k = 0; k < n; k++) {
    const [u, v] = [rows[a + k]!, rows[b + k]!]
    rows[a + k] = c * u - s * v
    rows[b + k] = s * u + c * v
  }
}

function sorted(d: Float64Array, vectors: Float64Array): Spectrum {
  const n = d.length
  const order = [...d.keys()].sort((i, j) => d[i]! - d[j]!)
  const rows = new Float64Array(n * n)
  for (const [to, i] of order.entries()) rows.set(vectors.subarray(i * n, (i + 1) * n), to * n)
  return { values: Float64Array.from(order, (i) => d[i]!), vectors: rows }
}

const stuck = (): PareError =>
  new PareError('EIGEN_STUCK', 'the QL algorithm does not converge', {
    remedy: 'Report this matrix: no such one is known.',
  })
