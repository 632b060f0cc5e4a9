/**
 * The largest eigenvalues of a symmetric matrix by subspace iteration with a Chebyshev filter (Zhou, Saad, Tiago and
 * Chelikowsky 2006): a polynomial of the matrix that is small on what is not wanted turns a block of vectors towards what is.
 */

import { throwIfAborted } from '../engine/failures.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { type Random, random } from '../util/random.js'
import { type FilterSteps, openFilter } from './chebyshev-filter.js'
import { norm } from './householder-qr.js'
import type { Spectrum } from './implicit-ql.js'
import { openProducts, type Products, transposed } from './products.js'
import { symmetricEigen } from './symmetric-eigen.js'
import { type EngineOption, qrBy } from './tall-qr.js'

export interface TopEigenOptions extends EngineOption, Pick<RunOptions, 'signal' | 'seed'> {
  /** Largest ‖Av − λv‖ / ‖A‖ of a pair. Default 1e-13. */
  readonly tolerance?: number
}

/** Degree of the filter. */
const DEGREE = 20

/** Rounds after which all eigenvalues are computed instead: the wanted ones lie too close to the others. */
const ROUNDS = 30

/** Of all directions: a block with more of them takes longer than all eigenvalues. */
const SHARE = 0.2

/**
 * The `count` algebraically largest of `a`: [n, n], both triangles. Values descend, and row k of `vectors` [count, n]
 * belongs to values[k]. Throws `EIGEN_SHAPE`, `EIGEN_FINITE`, `EIGEN_COUNT`, `RANDOM_SEED`.
 */
export async function topEigen(
  a: Float64Array,
  n: number,
  count: number,
  { engine, signal, seed = 0, tolerance = 1e-13 }: TopEigenOptions = {},
): Promise<Spectrum> {
  if (!Number.isInteger(count) || count < 1 || count > n) throw wrongCount(count, n)
  const draws = random(seed)
  const width = Math.min(n, count + Math.max(8, Math.ceil(count / 2)))
  const all = async (): Promise<Spectrum> => largestOf(await symmetricEigen(a, n, { engine, largest: count }), n, count)
  if (width > SHARE * n || a.length !== n * n || !a.every(Number.isFinite)) return all()
  const products = openProducts(engine)
  const filter = await openFilter(a, n, width, DEGREE, engine)
  try {
    const least = await lowerBound(a, n, draws, products)
    let block = (await qrBy(products, drawn(n * width, draws), n, width)).q
    for (let round = 0; round < ROUNDS; round++) {
      throwIfAborted(signal)
      const { values, vectors, worst } = await ritz(block, { a, n, width, count }, products)
      if (worst <= tolerance) return { values: values.slice(0, count), vectors: vectors.subarray(0, count * n) }
      const steps = filterSteps({ least, cut: values[width - 1]!, most: values[0]! })
      if (steps === null) break
      block = (await qrBy(products, await filter.apply(transposed(vectors, width, n), steps), n, width)).q
    }
    return await all()
  } finally {
    await filter.close()
    await products.close()
  }
}

const drawn = (length: number, { normal }: Random): Float64Array => Float64Array.from({ length }, () => normal())

/** From ascending to descending. */
function largestOf({ values, vectors }: Spectrum, n: number, count: number): Spectrum {
  const own = vectors.length / n
  const out = new Float64Array(count * n)
  for (let k = 0; k < count; k++) out.set(vectors.subarray((own - 1 - k) * n, (own - k) * n), k * n)
  return { values: values.slice(values.length - count).reverse(), vectors: out }
}

interface Problem {
  readonly a: Float64Array
  readonly n: number
  readonly width: number
  readonly count: number
}

/** Eigenvalues of QᵀAQ, descending, and their vectors as rows [width, n]; and how far the wanted ones are from A's. */
async function ritz(q: Float64Array, { a, n, width, count }: Problem, products: Products) {
  const image = await products.multiply(a, q, { m: n, k: n, n: width })
  const inner = await products.multiply(transposed(q, n, width), image, { m: width, k: n, n: width })
  const { values, vectors: turn } = largestOf(await symmetricEigen(inner, width), width, width)
  const shape = { m: width, k: width, n }
  const vectors = await products.multiply(turn, transposed(q, n, width), shape)
  const images = await products.multiply(turn, transposed(image, n, width), shape)
  const size = Math.max(Math.abs(values[0]!), Math.abs(values[width - 1]!))
  let worst = 0
  for (let k = 0; k < count; k++) {
    const away = images.subarray(k * n, (k + 1) * n).map((v, j) => v - values[k]! * vectors[k * n + j]!)
    worst = Math.max(worst, norm(away) / (size || 1))
  }
  return { values, vectors, worst }
}

const LANCZOS = 10

/** Below all eigenvalues, by some steps of Lanczos and what they left over (Zhou and Li 2011). */
async function lowerBound(a: Float64Array, n: number, draws: Random, products: Products): Promise<number> {
  let v = drawn(n, draws)
  let length = norm(v)
  v = v.map((x) => x / length)
  let before: Float64Array = new Float64Array(n)
  const steps = Math.min(n, LANCZOS)
  const t = new Float64Array(steps * steps)
  let beta = 0
  for (let i = 0; i < steps; i++) {
    const w = await products.multiply(a, v, { m: n, k: n, n: 1 })
    const alpha = w.reduce((sum, x, j) => sum + x * v[j]!, 0)
    t[i * steps + i] = alpha
    for (let j = 0; j < n; j++) w[j]! -= alpha * v[j]! + beta * before[j]!
    beta = norm(w)
    if (i + 1 < steps) t[(i + 1) * steps + i] = beta
    before = v
    length = beta || 1
    v = w.map((x) => x / length)
  }
  return (await symmetricEigen(t, steps)).values[0]! - beta
}

interface Interval {
  /** What is not wanted lies from `least` to `cut`. */
  readonly least: number
  readonly cut: number
  readonly most: number
}

/**
 * y₁ = (Ax − cx) σ₁/e, yᵢ₊₁ = 2σᵢ₊₁/e (Ayᵢ − cyᵢ) − σᵢσᵢ₊₁ yᵢ₋₁, as factors of Ay, y and what came before it: Chebyshev's
 * polynomial over its value at `most`. Null where nothing is to be told apart.
 */
function filterSteps({ least, cut, most }: Interval): FilterSteps | null {
  const [half, middle] = [(cut - least) / 2, (cut + least) / 2]
  if (!(half > 0 && most > cut)) return null
  const first = half / (most - middle)
  let sigma = first
  const steps: (readonly [number, number, number])[] = [[sigma / half, (-sigma * middle) / half, 0]]
  for (let i = 1; i < DEGREE; i++) {
    const next = 1 / (2 / first - sigma)
    steps.push([(2 * next) / half, (-2 * next * middle) / half, -sigma * next])
    sigma = next
  }
  return steps
}

const wrongCount = (count: number, n: number): PareError =>
  new PareError('EIGEN_COUNT', 'there are not so many eigenvalues', {
    value: count,
    remedy: `Give a whole number from 1 to ${n}.`,
  })
