/** Vectors of the tridiagonal matrix to those of the matrix that it came from, by blocks of reflections. */

import type { Reduction } from '../kernels/dense-loops.js'
import { copyRows, type Products, transposed } from './products.js'

/** Reflections that are applied together. */
const TOGETHER = 128

/**
 * V ← V H₁ H₂ ⋯ Hₙ₋₁ in place, V's rows being vectors. Of a block, H ⋯ H = I − UᵀTU with T upper triangular (Schreiber
 * and Van Loan 1989).
 */
export async function applyReflectors(
  vectors: Float64Array,
  { n, a, tau }: Pick<Reduction, 'n' | 'a' | 'tau'>,
  products: Products,
): Promise<void> {
  for (let from = 1; from < n; from += TOGETHER) {
    const to = Math.min(n, from + TOGETHER)
    const count = to - from
    // Row i ends before column i.
    const width = to - 1
    const u = new Float64Array(count * width)
    copyRows(a.data.subarray(from * a.stride), a.stride, u, width, count)
    const columns = transposed(u, count, width)
    const inner = await products.multiply(u, columns, { m: count, k: width, n: count })
    const t = triangularFactor(inner, tau.subarray(from, to))
    const right = await products.multiply(t, u, { m: count, k: count, n: width })
    const left = new Float64Array(n * width)
    copyRows(vectors, n, left, width, n)
    const weights = await products.multiply(left, columns, { m: n, k: width, n: count })
    const change = await products.multiply(weights, right, { m: n, k: count, n: width })
    for (let i = 0; i < n; i++) for (let j = 0, v = i * n, c = i * width; j < width; j++) vectors[v++]! -= change[c++]!
  }
}

/** From UUᵀ and τ: T[:j, j] = −τⱼ T[:j, :j] (UUᵀ)[:j, j]. */
function triangularFactor(inner: Float64Array, tau: Float64Array): Float64Array {
  const b = tau.length
  const t = new Float64Array(b * b)
  for (let j = 0; j < b; j++) {
    for (let i = 0; i < j; i++) {
      let sum = 0
      for (let l = i; l < j; l++) sum += t[i * b + l]! * inner[l * b + j]!
      t[i * b + j] = -tau[j]! * sum
    }
    t[j * b + j] = tau[j]!
  }
  return t
}
