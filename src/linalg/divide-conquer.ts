/**
 * Eigenvalues and vectors of a tridiagonal matrix by divide and conquer (Cuppen 1981; Gu and Eisenstat 1995): both halves
 * are solved, and what joins them is a matrix of rank one. Most of the work is products of matrices.
 */

import { implicitQl, rotateRows, type Spectrum } from './implicit-ql.js'
import type { Products } from './products.js'
import { secularRoots, secularVectors } from './secular.js'

/** Up to this size the QL algorithm is quicker. */
const SMALL = 32

const EPSILON = 2 ** -52

/** `diagonal`: [n], `off`: [n − 1]; neither is changed. Vectors of so many of the largest values alone; all values. */
export async function divideConquer(
  diagonal: Float64Array,
  off: Float64Array,
  products: Products,
  largest = diagonal.length,
): Promise<Spectrum> {
  const n = diagonal.length
  if (n <= SMALL) {
    const { values, vectors } = implicitQl(diagonal, off)
    return { values, vectors: vectors.subarray((n - largest) * n) }
  }
  const half = n >> 1
  const edge = off[half - 1]!
  // T = diag(T₁, T₂) + |edge| vvᵀ, v = (0, …, 1, sign(edge), …, 0).
  const [top, bottom] = [diagonal.slice(0, half), diagonal.slice(half)]
  top[half - 1]! -= Math.abs(edge)
  bottom[0]! -= Math.abs(edge)
  const first = await divideConquer(top, off.subarray(0, half - 1), products)
  const second = await divideConquer(bottom, off.subarray(half), products)
  return join(first, second, { edge, largest }, products)
}

/** Where a vector has elements that are not 0. */
const [LEFT, BOTH, RIGHT] = [0, 1, 2] as const

interface Joined {
  /** Of diag(first, second), ascending. */
  readonly d: Float64Array
  /** Their vectors: [n, n]. */
  readonly rows: Float64Array
  readonly kinds: Uint8Array
  /** Qᵀv, of length 1. */
  readonly z: Float64Array
  readonly rho: number
}

interface Wanted {
  readonly edge: number
  /** Vectors of so many of the largest values. */
  readonly largest: number
}

async function join(
  first: Spectrum,
  second: Spectrum,
  { edge, largest }: Wanted,
  products: Products,
): Promise<Spectrum> {
  const joined = sideBySide(first, second, edge)
  const kept = deflate(joined)
  const { d, rows, kinds, z, rho } = joined
  const n = d.length
  const [half, k] = [first.values.length, kept.length]
  const problem = { d: pick(d, kept), z: pick(z, kept), rho }
  const roots = secularRoots(problem)
  const sorted = inOrder(joined, kept, roots.values)
  const wanted = sorted.order.slice(n - largest)
  const changed = wanted.filter((i) => i < k)
  const vectors = secularVectors(problem, roots, changed)
  // Each half takes only the vectors that reach into it.
  const side = async (other: number, from: number, to: number): Promise<Float64Array> => {
    const used = [...kept.keys()].filter((j) => kinds[kept[j]!] !== other)
    const width = to - from
    const right = new Float64Array(used.length * width)
    for (const [at, j] of used.entries()) right.set(rows.subarray(kept[j]! * n + from, kept[j]! * n + to), at * width)
    const left = new Float64Array(changed.length * used.length)
    for (let i = 0, at = 0; i < changed.length; i++) for (const j of used) left[at++] = vectors[i * k + j]!
    return products.multiply(left, right, { m: changed.length, k: used.length, n: width })
  }
  const [left, right] = [await side(RIGHT, 0, half), await side(LEFT, half, n)]
  const out = new Float64Array(largest * n)
  let own = 0
  for (const [to, i] of wanted.entries()) {
    if (i < k) {
      out.set(left.subarray(own * half, (own + 1) * half), to * n)
      out.set(right.subarray(own * (n - half), (own + 1) * (n - half)), to * n + half)
      own++
    } else out.set(rows.subarray(sorted.same[i - k]! * n, (sorted.same[i - k]! + 1) * n), to * n)
  }
  return { values: sorted.values, vectors: out }
}

/** Vectors of both, sorted by value. */
function sideBySide(first: Spectrum, second: Spectrum, edge: number): Joined {
  const [a, b] = [first.values.length, second.values.length]
  const n = a + b
  const value = (i: number): number => (i < a ? first.values[i]! : second.values[i - a]!)
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => value(i) - value(j))
  const rows = new Float64Array(n * n)
  const z = new Float64Array(n)
  const sign = edge < 0 ? -1 : 1
  for (const [to, i] of order.entries()) {
    if (i < a) {
      rows.set(first.vectors.subarray(i * a, (i + 1) * a), to * n)
      z[to] = Math.SQRT1_2 * first.vectors[i * a + a - 1]!
    } else {
      rows.set(second.vectors.subarray((i - a) * b, (i - a + 1) * b), to * n + a)
      z[to] = Math.SQRT1_2 * sign * second.vectors[(i - a) * b]!
    }
  }
  return {
    d: Float64Array.from(order, value),
    rows,
    kinds: Uint8Array.from(order, (i) => (i < a ? LEFT : RIGHT)),
    z,
    rho: 2 * Math.abs(edge),
  }
}

/**
 * Indices whose values change, in place: a pair stays as it is where z is nothing, and of two values that rounding cannot
 * tell apart one is turned to where z is nothing (Dongarra and Sorensen 1987).
 */
function deflate({ d, rows, kinds, z, rho }: Joined): readonly number[] {
  const n = d.length
  const largest = (v: Float64Array): number => v.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  const tolerance = 8 * EPSILON * Math.max(largest(d), rho * largest(z))
  const kept: number[] = []
  let last = -1
  for (let j = 0; j < n; j++) {
    if (rho * Math.abs(z[j]!) <= tolerance) continue
    if (last >= 0) {
      const length = Math.hypot(z[j]!, z[last]!)
      const [c, s] = [z[j]! / length, z[last]! / length]
      const away = d[j]! - d[last]!
      if (Math.abs(away * c * s) <= tolerance) {
        rotateRows(rows, last, j, n, c, s)
        if (kinds[last] !== kinds[j]) kinds[j] = BOTH
        const [low, high] = [d[last]!, d[j]!]
        d[last] = low * c * c + high * s * s
        d[j] = low * s * s + high * c * c
        z[j] = length
        z[last] = 0
        kept.pop()
      }
    }
    kept.push(j)
    last = j
  }
  return kept
}

const pick = (values: Float64Array, at: readonly number[]): Float64Array => Float64Array.from(at, (i) => values[i]!)

/** What was kept, with new values, and what was not: sorted, by the place of a new value, or behind all of these. */
function inOrder({ d }: Joined, kept: readonly number[], changed: Float64Array) {
  const k = kept.length
  const isKept = new Set(kept)
  const same = [...d.keys()].filter((i) => !isKept.has(i))
  const value = (i: number): number => (i < k ? changed[i]! : d[same[i - k]!]!)
  const order = Array.from({ length: d.length }, (_, i) => i).sort((i, j) => value(i) - value(j))
  return { order, same, values: Float64Array.from(order, value) }
}
