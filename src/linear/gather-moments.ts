/** Moments of large data on the engine, of small data by plain loops. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { FloatType } from '../ir/builder.js'
import { type GramAccumulator, openGram } from '../linalg/gram.js'
import type { RunOptions } from '../util/env.js'
import { type DenseMatrix, rowsWithWeight, stridesOf } from './design.js'
import { type MomentOptions, type Moments, momentsOf, ROUNDING } from './moments.js'

export interface GatherOptions extends MomentOptions, Pick<RunOptions, 'signal'> {
  /** Without one all is done in plain loops, which is some ten times slower. */
  readonly engine?: Engine | undefined
  /** Of products on the engine; sums are in float64. float32 takes half the time. Default `float64`. */
  readonly precision?: FloatType
}

/** Multiplications from which on the engine is worth its way. */
const MANY = 1e8

/**
 * Rows of a tile, in which columns lie one after the other, as products want them. An odd number of 64 bytes of float32, so
 * that the columns of a row do not meet in the same lines of the cache.
 */
const TILE = 528

/** Rows that go to the engine at once. */
const CHUNK = 31 * TILE

/** Whether so many rows are for the engine. */
export const isMany = (rows: number, columns: number): boolean => rows * (columns + 1) ** 2 >= MANY

export async function gatherMoments(x: DenseMatrix, y: ArrayLike<number>, o: GatherOptions = {}): Promise<Moments> {
  const [moments] = await gatherParts(x, y, [o.rows], o)
  return moments!
}

/** Of several parts of the rows; undefined is all of them. */
export async function gatherParts(
  x: DenseMatrix,
  y: ArrayLike<number>,
  parts: readonly (ArrayLike<number> | undefined)[],
  options: GatherOptions,
): Promise<readonly Moments[]> {
  const { engine, precision = 'float64' } = options
  const of = (rows: ArrayLike<number> | undefined): GatherOptions => (rows ? { ...options, rows } : options)
  const count = parts.reduce((sum, rows) => sum + (rows?.length ?? x.rows), 0)
  if (engine === undefined || !isMany(count, x.columns)) return parts.map((rows) => momentsOf(x, y, of(rows)))
  const gram = await openGram({ engine, columns: x.columns + 1, precision, tile: TILE })
  const found: Moments[] = []
  try {
    for (const rows of parts) found.push(await gatherOn(gram, x, y, of(rows)))
    return found
  } finally {
    await gram.close()
  }
}

async function gatherOn(
  gram: GramAccumulator,
  x: DenseMatrix,
  y: ArrayLike<number>,
  o: GatherOptions,
): Promise<Moments> {
  const rows = o.weights === undefined ? o.rows : rowsWithWeight(x.rows, o)
  if (rows?.length === 0) return momentsOf(x, y, { rows })
  const used = { ...o, ...(rows && { rows }) }
  const frame = sampleFrame(x, y, used)
  const { shift, ...first } = await gatherAbout(frame, gram, x, y, used)
  const { means, scatter, weight, rounding } = first
  const m = means.length
  const isFar = means.some((mean, j) => weight * (mean - shift[j]!) ** 2 > scatter[j * m + j]!)
  if (!isFar && Number.isFinite(rounding)) return first
  // Rows that tell little of the others: what is far from its mean cancels, or its squares overflow.
  const scales = means.map((_, j) => powerOf(Math.sqrt(scatter[j * m + j]! / weight)))
  const { shift: _, ...again } = await gatherAbout({ ...frame, shift: means, scales }, gram, x, y, used)
  return again
}

/**
 * What is taken off the columns, and the powers of two that bring the rest near 1, and weights too, so that squares fit
 * into float32.
 */
interface Frame {
  readonly shift: Float64Array
  readonly scales: Float64Array
  readonly unit: number
}

type Gathered = Moments & Pick<Frame, 'shift'>

async function gatherAbout(
  frame: Frame,
  gram: GramAccumulator,
  x: DenseMatrix,
  y: ArrayLike<number>,
  o: GatherOptions,
): Promise<Gathered> {
  const { shift, scales, unit } = frame
  const m = shift.length
  const sums: Sums = { shifted: new Float64Array(m), squares: new Float64Array(m), weight: 0, count: 0 }
  const count = o.rows?.length ?? x.rows
  // The next chunk is filled while the engine multiplies the last one.
  let last: Promise<void> = Promise.resolve()
  for (let from = 0; from < count; from += CHUNK) {
    throwIfAborted(o.signal)
    const chunk = shiftedTiles(x, y, o, frame, { from, to: Math.min(count, from + CHUNK) }, sums)
    await last
    last = gram.add(chunk)
  }
  await last
  const scatter = gram.take()
  // Squares have no signs that let rounding cancel: what products lost of these is the most that they lost of any.
  let rounding: number = ROUNDING[o.precision ?? 'float64']
  for (let j = 0; j < m; j++) {
    const exact = sums.squares[j]!
    if (exact > 0) rounding = Math.max(rounding, Math.abs(scatter[j * m + j]! - exact) / exact)
    scatter[j * m + j] = exact
  }
  const weight = unit * sums.weight
  const away = sums.shifted.map((s) => s / sums.weight)
  for (let j = 0; j < m; j++)
    for (let k = 0; k < m; k++)
      scatter[j * m + k] = unit * scatter[j * m + k]! * scales[j]! * scales[k]! - weight * away[j]! * away[k]!
  return { count: sums.count, weight, means: shift.map((v, j) => v + away[j]!), scatter, rounding, shift }
}

/** Of the rows so far, in place; weights in their unit. */
interface Sums {
  /** Σ w (z − shift), and Σ w ((z − shift) / scale)². */
  readonly shifted: Float64Array
  readonly squares: Float64Array
  weight: number
  count: number
}

const powerOf = (size: number): number => 2 ** Math.ceil(Math.log2(size || 1))

/** Rows from all over the table. */
const SAMPLE = 1024

/** Means and ranges of some of the rows, and the mean weight of all. */
function sampleFrame(x: DenseMatrix, y: ArrayLike<number>, { weights, rows }: MomentOptions): Frame {
  const p = x.columns
  const [byRow, byColumn] = stridesOf(x)
  const n = rows?.length ?? x.rows
  const many = Math.min(n, SAMPLE)
  const at = Array.from({ length: many }, (_, i) => Math.floor((i * n) / many)).map((i) => rows?.[i] ?? i)
  const cellOf = (i: number, j: number): number => (j === p ? y[i]! : x.data[i * byRow + j * byColumn]!)
  const shift = Float64Array.from({ length: p + 1 }, (_, j) => at.reduce((sum, i) => sum + cellOf(i, j), 0) / many)
  const scales = shift.map((mean, j) =>
    powerOf(at.reduce((most, i) => Math.max(most, Math.abs(cellOf(i, j) - mean)), 0)),
  )
  let weight = 0
  if (weights !== undefined) for (let i = 0; i < n; i++) weight += weights[rows?.[i] ?? i]! / n
  return { shift, scales, unit: powerOf(weight) }
}

/** √w (z − shift) / scale of some rows, y last, in tiles that zeros fill up; their sums are added up. */
function shiftedTiles(
  x: DenseMatrix,
  y: ArrayLike<number>,
  { weights, rows, precision }: GatherOptions,
  { shift, scales, unit }: Frame,
  { from, to }: { readonly from: number; readonly to: number },
  sums: Sums,
): Float32Array | Float64Array {
  const p = x.columns
  const { data } = x
  const [byRow, byColumn] = stridesOf(x)
  const { shifted, squares } = sums
  const inverse = scales.map((s) => 1 / s)
  const length = Math.ceil((to - from) / TILE) * TILE * (p + 1)
  const out = precision === 'float32' ? new Float32Array(length) : new Float64Array(length)
  for (let i = from; i < to; i++) {
    const place = (i - from) % TILE
    let at = (i - from - place) * (p + 1) + place
    const row = rows === undefined ? i : rows[i]!
    const w = weights === undefined ? 1 : weights[row]! / unit
    const root = Math.sqrt(w)
    sums.weight += w
    sums.count++
    for (let j = 0, cell = row * byRow; j < p; j++, cell += byColumn, at += TILE) {
      const away = data[cell]! - shift[j]!
      const scaled = away * inverse[j]!
      shifted[j]! += w * away
      squares[j]! += w * scaled * scaled
      out[at] = root * scaled
    }
    const away = y[row]! - shift[p]!
    const scaled = away * inverse[p]!
    shifted[p]! += w * away
    squares[p]! += w * scaled * scaled
    out[at] = root * scaled
  }
  return out
}
