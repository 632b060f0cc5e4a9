/** Anderson extrapolation of coordinate descent (Bertrand and Massias 2021, algorithm 2). */

import type { GramTerms } from '../../kernels/gram-descent.js'

export interface Point {
  readonly beta: Float64Array
  /** q − Gβ */
  readonly residual: Float64Array
}

/**
 * Σ cₖβₖ of the last iterates, with c = z / Σz and UᵀU z = 1 for the differences U of consecutive ones; null where it is
 * not better than the last, whose residual is given.
 */
export function extrapolated(terms: GramTerms, history: readonly Float64Array[], residual: Float64Array): Point | null {
  const last = history.at(-1)!
  const differences = history.slice(1).map((b, k) => b.map((v, j) => v - history[k]![j]!))
  const c = weights(differences)
  if (c === null) return null
  const beta = last.map((_, j) => {
    let sum = 0
    for (let k = 0; k < c.length; k++) sum += c[k]! * history[k + 1]![j]!
    return Math.min(Math.max(sum, terms.lower[j]!), terms.upper[j]!)
  })
  const moved = moveBy(terms.gram, residual, beta, last)
  return change(terms, { beta: last, residual }, { beta, residual: moved }) < 0 ? { beta, residual: moved } : null
}

/** The residual at `beta`, from that at `from`. */
function moveBy(gram: Float64Array, residual: Float64Array, beta: Float64Array, from: Float64Array): Float64Array {
  const next = residual.slice()
  for (let j = 0; j < beta.length; j++) {
    const change = beta[j]! - from[j]!
    if (change === 0) continue
    const row = j * beta.length
    for (let k = 0; k < next.length; k++) next[k]! -= change * gram[row + k]!
  }
  return next
}

/** By how much the objective grows from a to b: −½(β_b − β_a)ᵀ(r_a + r_b) and the penalties' difference. */
function change({ l1, l2 }: GramTerms, a: Point, b: Point): number {
  let sum = 0
  for (let j = 0; j < l1.length; j++) {
    const [x, y] = [a.beta[j]!, b.beta[j]!]
    sum -= 0.5 * (y - x) * (a.residual[j]! + b.residual[j]!)
    sum += l1[j]! * (Math.abs(y) - Math.abs(x)) + 0.5 * l2[j]! * (y * y - x * x)
  }
  return sum
}

/** c from (UᵀU + ε I) z = 1 by elimination; null where that says nothing. */
function weights(differences: readonly Float64Array[]): readonly number[] | null {
  const m = differences.length
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, j) => sum + v * b[j]!, 0)
  const a = differences.map((u) => [...differences.map((v) => dot(u, v)), 1])
  const trace = a.reduce((sum, row, i) => sum + row[i]!, 0)
  for (let i = 0; i < m; i++) a[i]![i]! += 1e-12 * trace
  for (let i = 0; i < m; i++) {
    const pivot = a[i]![i]!
    if (!(pivot > 0)) return null
    for (let k = i + 1; k < m; k++) {
      const factor = a[k]![i]! / pivot
      for (let j = i; j <= m; j++) a[k]![j]! -= factor * a[i]![j]!
    }
  }
  const z = new Array<number>(m).fill(0)
  for (let i = m - 1; i >= 0; i--) {
    let sum = a[i]![m]!
    for (let j = i + 1; j < m; j++) sum -= a[i]![j]! * z[j]!
    z[i] = sum / a[i]![i]!
  }
  const total = z.reduce((x, y) => x + y, 0)
  return Number.isFinite(total) && total !== 0 ? z.map((v) => v / total) : null
}
