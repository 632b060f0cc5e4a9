/**
 * Weighted first and second moments of the rows: all that a Gaussian model, its cross-validation and its criteria ask
 * of the data. Those of parts add up, and those of folds are taken off again.
 */

import { BLOCK, openGramKernel, wholeBlocks } from '../kernels/gram-kernel.js'
import { zerosLike } from '../util/tasks.js'
import { type DenseMatrix, stridesOf } from './design.js'

export interface Moments {
  /** Rows with a weight above 0, and the sum of all weights. */
  readonly count: number
  readonly weight: number
  /** Of X and, last, of y: [p + 1]; of X alone, [p], where nothing is predicted. */
  readonly means: Float64Array
  /** Σ w (z − mean)(z − mean)ᵀ of z = (x, y), or of x alone: [p + 1, p + 1], or [p, p]. */
  readonly scatter: Float64Array
  /** What rounding may have done to an entry of it, as a part of the roots of its two diagonal elements. */
  readonly rounding: number
}

/** False of numbers so large that their squares overflow where they were summed. */
export const isWhole = ({ means, rounding }: Moments): boolean =>
  means.every(Number.isFinite) && Number.isFinite(rounding)

/** Of sums in float64, and the least of products in float32 that are summed in float64. */
export const ROUNDING = { float64: 2 ** -50, float32: 2 ** -26 } as const

export interface MomentOptions {
  readonly weights?: ArrayLike<number>
  /** Rows that count. Default: all. */
  readonly rows?: ArrayLike<number>
}

/** In two passes: the means first, so that nothing cancels. */
export function momentsOf(x: DenseMatrix, y: ArrayLike<number> | null, { weights, rows }: MomentOptions = {}): Moments {
  const p = x.columns
  const m = p + Number(y !== null)
  const n = rows?.length ?? x.rows
  const [byRow, byColumn] = stridesOf(x)
  const z = new Float64Array(m)
  const means = new Float64Array(m)
  // What columns have in common with the first row is taken off, so that running means round by little.
  const first = new Float64Array(m)
  let [count, weight] = [0, 0]
  const read = (i: number): number => {
    const row = rows === undefined ? i : rows[i]!
    const w = weights === undefined ? 1 : weights[row]!
    for (let j = 0; j < p; j++) z[j] = x.data[row * byRow + j * byColumn]!
    if (y !== null) z[p] = y[row]!
    return w
  }
  for (let i = 0; i < n; i++) {
    const w = read(i)
    if (w === 0) continue
    if (count === 0) first.set(z)
    count++
    weight += w
    for (let j = 0; j < m; j++) means[j]! += (w / weight) * (z[j]! - first[j]! - means[j]!)
  }
  for (let j = 0; j < m; j++) means[j]! += first[j]!
  const sums = outerSums(m)
  for (let i = 0; i < n; i++) {
    const w = read(i)
    for (let j = 0; j < m; j++) z[j]! -= means[j]!
    sums.add(z, w)
  }
  return { count, weight, means, scatter: sums.end(), rounding: ROUNDING.float64 }
}

export interface MomentSums {
  /** A row z = (x, y). */
  add(row: Float64Array, weight?: number): void
  end(): Moments
}

/**
 * In one pass, of rows that nobody holds. `near` is taken off every row first: the closer it is to the means, the less
 * cancels in Σw(z − near)(z − near)ᵀ − Σw (mean − near)(mean − near)ᵀ (Chan, Golub and LeVeque 1983, eq. 1.7).
 */
export function openMoments(near: Float64Array): MomentSums {
  const m = near.length
  const sums = outerSums(m)
  const z = new Float64Array(m)
  const firsts = new Float64Array(m)
  let [count, total] = [0, 0]
  return {
    add(row, weight = 1) {
      if (weight === 0) return
      for (let j = 0; j < m; j++) {
        z[j] = row[j]! - near[j]!
        firsts[j]! += weight * z[j]!
      }
      sums.add(z, weight)
      count++
      total += weight
    },
    end() {
      const shift = firsts.map((sum) => (count === 0 ? 0 : sum / total))
      const scatter = sums.end()
      for (let j = 0; j < m; j++) for (let k = 0; k < m; k++) scatter[j * m + k]! -= total * shift[j]! * shift[k]!
      // Roundings of n additions have nothing to do with each other.
      const rounding = Math.max(ROUNDING.float64, 2 ** -53 * Math.sqrt(count))
      return { count, weight: total, means: near.map((v, j) => v + shift[j]!), scatter, rounding }
    },
  }
}

export interface OuterSums {
  add(z: Float64Array, weight: number): void
  end(): Float64Array
}

/** Numbers of the rows that are summed together, so that they stay in the cache. */
const TOGETHER = 32_768

/** Σ w zzᵀ, the upper half, some rows at a time: each row of the sum takes them all before the next one does. */
export function outerSums(m: number): OuterSums {
  const stride = wholeBlocks(m)
  const most = wholeBlocks(Math.min(128, Math.max(16, TOGETHER / stride)))
  const kernel = openGramKernel(m * stride + most * stride + m * most)
  const sums = kernel.memory.subarray(0, m * stride)
  const rows = kernel.memory.subarray(m * stride, (m + most) * stride)
  // [m, most]: −w zⱼ, since rows are subtracted.
  const factors = kernel.memory.subarray((m + most) * stride)
  let count = 0
  const flush = (): void => {
    for (let j = 0; j < m; j++) {
      const from = j - (j % BLOCK)
      const part = { count, length: m - from, data: rows.subarray(from), stride }
      kernel.subtractRows(part, factors.subarray(j * most), sums.subarray(j * stride + from))
    }
    count = 0
  }
  return {
    add(z, weight) {
      if (weight === 0) return
      rows.set(z, count * stride)
      for (let j = 0; j < m; j++) factors[j * most + count] = -weight * z[j]!
      if (++count === most) flush()
    },
    end() {
      flush()
      const scatter = new Float64Array(m * m)
      for (let j = 0; j < m; j++) {
        for (let k = j; k < m; k++) {
          const sum = sums[j * stride + k]!
          scatter[j * m + k] = sum
          scatter[k * m + j] = sum
        }
      }
      return scatter
    },
  }
}

/** Standard deviations of the columns of X alone, with 1/n as the fit has them. */
export function deviationsOf(x: DenseMatrix, weights?: ArrayLike<number>): Float64Array {
  const [byRow, byColumn] = stridesOf(x)
  return Float64Array.from({ length: x.columns }, (_, j) => {
    let [weight, mean, square] = [0, 0, 0]
    for (let i = 0; i < x.rows; i++) {
      const w = weights === undefined ? 1 : weights[i]!
      if (w === 0) continue
      const away = x.data[i * byRow + j * byColumn]! - mean
      weight += w
      mean += (w / weight) * away
      square += w * away * (x.data[i * byRow + j * byColumn]! - mean)
    }
    return Math.sqrt(square / weight)
  })
}

/** Of both together (Chan, Golub and LeVeque 1983, eq. 2.1). `room`: what the scatter is written into, that of `a` too. */
export function addMoments(a: Moments, b: Moments, room: Float64Array = new Float64Array(a.scatter.length)): Moments {
  if (a.weight === 0) return b
  if (b.weight === 0) return a
  const weight = a.weight + b.weight
  const shift = b.means.map((v, j) => v - a.means[j]!)
  const means = a.means.map((v, j) => v + (b.weight / weight) * shift[j]!)
  return {
    count: a.count + b.count,
    weight,
    means,
    scatter: combine(a.scatter, b.scatter, shift, (a.weight * b.weight) / weight, 1, room),
    rounding: Math.max(a.rounding, b.rounding),
  }
}

/** Of all parts together, of which there is one at least. */
export function sumOfMoments([first, ...others]: readonly Moments[]): Moments {
  const room = zerosLike(first!.scatter)
  return others.reduce((sum, part) => addMoments(sum, part, room), first!)
}

/** Of the scatter of a column, what rounding alone may leave of it when parts are taken off. */
const LEFT = 1e-13

/**
 * Of what is left of `all` without `part`; a column whose spread was all in the part is left with none. `room`: what the
 * scatter is written into.
 */
export function withoutMoments(
  all: Moments,
  part: Moments,
  room: Float64Array = new Float64Array(all.scatter.length),
): Moments {
  const weight = all.weight - part.weight
  const means = all.means.map((v, j) => v + (part.weight / weight) * (v - part.means[j]!))
  const shift = part.means.map((v, j) => v - means[j]!)
  const scatter = combine(all.scatter, part.scatter, shift, (-weight * part.weight) / all.weight, -1, room)
  const m = means.length
  for (let j = 0; j < m; j++) {
    if (scatter[j * m + j]! > LEFT * all.scatter[j * m + j]!) continue
    for (let k = 0; k < m; k++) scatter[j * m + k] = scatter[k * m + j] = 0
  }
  return { count: all.count - part.count, weight, means, scatter, rounding: (all.rounding * all.weight) / weight }
}

/** A ± B + factor · shift shiftᵀ; `out` may be A. */
function combine(
  a: Float64Array,
  b: Float64Array,
  shift: Float64Array,
  factor: number,
  sign: 1 | -1,
  out: Float64Array,
): Float64Array {
  const m = shift.length
  for (let j = 0; j < m; j++) {
    const [row, own] = [j * m, factor * shift[j]!]
    for (let k = 0; k < m; k++) out[row + k] = a[row + k]! + sign * b[row + k]! + own * shift[k]!
  }
  return out
}
