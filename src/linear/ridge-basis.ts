/**
 * Directions in which a ridge falls apart into problems of one number each: the columns b of B with BᵀGB and BᵀDB both
 * diagonal, where G = XᵀX / n and D holds the penalty factors. Every strength then has its solution at once (Golub, Heath
 * and Wahba 1979).
 */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { openProducts, transposed } from '../linalg/products.js'
import { symmetricEigen } from '../linalg/symmetric-eigen.js'
import { type Rows, readRows } from './rows.js'

export interface RidgeBasis {
  /** [p, r] */
  readonly directions: Float64Array
  /** bᵀGb: [r], none below 0. */
  readonly energies: Float64Array
  /** bᵀDb: 1, or 0 for a direction that no penalty holds. */
  readonly penalties: Uint8Array
}

export interface Roles {
  /** Columns with a penalty, and its factors. */
  readonly held: readonly number[]
  readonly factors: Float64Array
  /** Columns without one. */
  readonly free: readonly number[]
}

export interface BasisOptions {
  readonly engine?: Engine | undefined
  readonly signal?: AbortSignal | undefined
}

/** An energy that rounding alone may have left, relative to the largest one. */
export const NO_ENERGY = 1e-13

/** From the Gram matrix [p, p] of the rows. */
export async function basisOfGram(gram: Float64Array, p: number, roles: Roles, o: BasisOptions): Promise<RidgeBasis> {
  const { held, free, factors } = roles
  const h = held.length
  const roots = held.map((j) => Math.sqrt(factors[j]!))
  const loose = await looseDirections(
    Float64Array.from({ length: free.length ** 2 }, (_, at) => {
      return gram[free[Math.floor(at / free.length)]! * p + free[at % free.length]!]!
    }),
    free.length,
    o,
  )
  // What the free columns explain of the others is theirs (Frisch and Waugh 1933): BᵀG of those.
  const shared = new Float64Array(loose.count * h)
  for (const [a, j] of free.entries())
    for (let k = 0; k < loose.count; k++)
      for (const [c, i] of held.entries())
        shared[k * h + c]! += loose.directions[a * loose.count + k]! * gram[j * p + i]!
  const inner = new Float64Array(h * h)
  for (const [a, j] of held.entries()) {
    for (let c = 0; c <= a; c++) {
      let sum = gram[j * p + held[c]!]!
      for (let k = 0; k < loose.count; k++) sum -= shared[k * h + a]! * shared[k * h + c]!
      inner[a * h + c] = sum / (roots[a]! * roots[c]!)
    }
  }
  throwIfAborted(o.signal)
  const { values, vectors } = await symmetricEigen(inner, h, o)
  const own = transposed(vectors, h, h)
  for (let a = 0; a < h; a++) for (let k = 0; k < h; k++) own[a * h + k]! /= roots[a]!
  const products = openProducts(o.engine)
  try {
    const overlap = await products.multiply(shared, own, { m: loose.count, k: h, n: h })
    return assembled(p, roles, loose, own, overlap, values)
  } finally {
    await products.close()
  }
}

/** From the rows themselves, where they are fewer than the columns: the Gram matrix is that of the rows. */
export async function basisOfRows(rows: Rows, roles: Roles, o: BasisOptions): Promise<RidgeBasis> {
  const { held, free, factors } = roles
  const n = rows.index.length
  const p = rows.x.columns
  const z = new Float64Array(n * p)
  readRows(rows, 0, n, z)
  for (let i = 0; i < n; i++) {
    const root = Math.sqrt(rows.shares[i]!)
    for (let j = 0; j < p; j++) z[i * p + j]! *= root
  }
  const part = (columns: readonly number[], scale: (j: number) => number): Float64Array => {
    const out = new Float64Array(n * columns.length)
    for (let i = 0, at = 0; i < n; i++) for (const j of columns) out[at++] = z[i * p + j]! * scale(j)
    return out
  }
  const scaled = part(held, (j) => 1 / Math.sqrt(factors[j]!))
  const [h, f] = [held.length, free.length]
  const across = transposed(scaled, n, h)
  const alone = part(free, () => 1)
  const products = openProducts(o.engine)
  try {
    const gram = await products.multiply(transposed(alone, n, f), alone, { m: f, k: n, n: f })
    const loose = await looseDirections(gram, f, o)
    // [n, count], orthonormal: what the free columns span.
    const span = await products.multiply(alone, loose.directions, { m: n, k: f, n: loose.count })
    const inner = projected(await products.multiply(scaled, across, { m: n, k: h, n }), span, n, loose.count)
    throwIfAborted(o.signal)
    const { values, vectors } = await symmetricEigen(inner, n, o)
    const kept = [...values.keys()].filter((k) => values[k]! > NO_ENERGY * values[n - 1]!)
    const r = kept.length
    const turned = new Float64Array(n * r)
    for (const [to, k] of kept.entries())
      for (let i = 0; i < n; i++) turned[i * r + to] = vectors[k * n + i]! / Math.sqrt(values[k]!)
    const own = await products.multiply(across, turned, { m: h, k: n, n: r })
    const overlap = await products.multiply(
      transposed(span, n, loose.count),
      await products.multiply(scaled, own, { m: n, k: h, n: r }),
      { m: loose.count, k: n, n: r },
    )
    for (const [a, j] of held.entries()) for (let k = 0; k < r; k++) own[a * r + k]! /= Math.sqrt(factors[j]!)
    return assembled(
      p,
      roles,
      loose,
      own,
      overlap,
      Float64Array.from(kept, (k) => values[k]!),
    )
  } finally {
    await products.close()
  }
}

/** Of the free columns alone, each with an energy of 1. */
interface Loose {
  /** [free, count] */
  readonly directions: Float64Array
  readonly count: number
}

async function looseDirections(gram: Float64Array, f: number, o: BasisOptions): Promise<Loose> {
  if (f === 0) return { directions: new Float64Array(0), count: 0 }
  const { values, vectors } = await symmetricEigen(gram, f, o)
  const kept = [...values.keys()].filter((k) => values[k]! > NO_ENERGY * values[f - 1]!)
  const directions = new Float64Array(f * kept.length)
  for (const [to, k] of kept.entries())
    for (let a = 0; a < f; a++) directions[a * kept.length + to] = vectors[k * f + a]! / Math.sqrt(values[k]!)
  return { directions, count: kept.length }
}

/** (I − WWᵀ) K (I − WWᵀ) */
function projected(k: Float64Array, span: Float64Array, n: number, count: number): Float64Array {
  const without = (a: Float64Array): Float64Array => {
    for (let c = 0; c < count; c++) {
      for (let i = 0; i < n; i++) {
        let dot = 0
        for (let l = 0; l < n; l++) dot += a[i * n + l]! * span[l * count + c]!
        for (let l = 0; l < n; l++) a[i * n + l]! -= dot * span[l * count + c]!
      }
    }
    return a
  }
  return count === 0 ? k : without(transposed(without(k), n, n))
}

/** Free directions first; a held one takes the free columns along, so that it has nothing in common with them. */
function assembled(
  p: number,
  { held, free }: Roles,
  loose: Loose,
  own: Float64Array,
  overlap: Float64Array,
  values: Float64Array,
): RidgeBasis {
  const { count } = loose
  const h = values.length
  const r = count + h
  const directions = new Float64Array(p * r)
  for (const [a, j] of free.entries()) {
    for (let k = 0; k < count; k++) {
      const weight = loose.directions[a * count + k]!
      directions[j * r + k] = weight
      for (let c = 0; c < h; c++) directions[j * r + count + c]! -= weight * overlap[k * h + c]!
    }
  }
  for (const [a, j] of held.entries()) directions.set(own.subarray(a * h, (a + 1) * h), j * r + count)
  const energies = new Float64Array(r).fill(1, 0, count)
  for (let c = 0; c < h; c++) energies[count + c] = Math.max(0, values[c]!)
  return { directions, energies, penalties: new Uint8Array(r).fill(1, count) }
}
