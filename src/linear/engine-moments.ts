/** Rows on their way to the engine, in a frame that is taken off them, and the moments that come of them. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { FloatType } from '../ir/builder.js'
import { type CentreKernel, openCentreKernel } from '../kernels/centre-kernel.js'
import { type GramAccumulator, openGram } from '../linalg/gram.js'
import type { RunOptions } from '../util/env.js'
import { type InFlight, inFlight } from '../util/in-flight.js'
import { sharedNumbers } from '../util/tasks.js'
import { type DenseMatrix, MOST, stridesOf } from './design.js'
import { type MomentOptions, type Moments, ROUNDING } from './moments.js'
import { openRowTile, type RowTile } from './row-tile.js'

/** Columns from which on products take most of the time, and float32 saves some of it. */
const WIDE = 64

export const precisionOf = (columns: number, wanted: FloatType = 'float64'): FloatType =>
  columns < WIDE ? 'float64' : wanted

/** Numbers that go to the engine at once, about. */
const TOGETHER = 1 << 21

/**
 * Rows of a tile. From one column to the next is an odd number of lines of the cache, or of pairs of them, so that the columns
 * of a row do not meet in the same ones. `counts` of the parts: what fills up their last tiles is multiplied too.
 */
export function heightOf(columns: number, precision: FloatType, counts: readonly number[]): number {
  const heights = precision === 'float32' ? [3088, 2064, 1040] : [1552, 1040, 528]
  const filled = (height: number): number => counts.reduce((sum, n) => sum + height * Math.ceil(n / height), 0)
  const low = heights.at(-1)!
  return heights.find((h) => columns * h <= 2 * TOGETHER && filled(h) <= 1.1 * filled(low)) ?? low
}

/**
 * What is taken off the columns, and the powers of two that bring the rest near 1, and weights too, so that squares fit
 * into float32.
 */
export interface Frame {
  readonly shift: Float64Array
  readonly scales: Float64Array
  readonly unit: number
}

/** What rows go through, those of one table after those of another. */
export interface EngineMoments {
  /** Comes back once all rows are read: they may be changed then. */
  begin(rows: TableRows, frame: Frame, options?: BeginOptions): Promise<Gathering>
  close(): Promise<void>
}

export interface TableRows {
  readonly x: DenseMatrix
  readonly y: ArrayLike<number> | null
}

export interface BeginOptions extends MomentOptions, Pick<RunOptions, 'signal'> {
  /** Whether threads see the moments without a copy. Default false. */
  readonly isShared?: boolean
}

/** Rows that are with the engine. */
export interface Gathering {
  /** What their sums say: numbers that `checkDesign` lets through, and a frame that is near them all. */
  readonly isUsable: boolean
  readonly isNear: boolean
  /** Means and powers of two near the deviations: a frame that is near. */
  readonly frame: Frame
  end(): Promise<Moments>
}

export interface EngineMomentsOptions {
  readonly engine: Engine
  /** Of X, and y where there is one. */
  readonly columns: number
  readonly precision: FloatType
  /** Rows of a tile. */
  readonly height: number
}

export async function openEngineMoments(options: EngineMomentsOptions): Promise<EngineMoments> {
  const { engine, columns, precision, height } = options
  const gram = await openGram({ engine, columns, precision, tile: height })
  const tasks = inFlight(1)
  let kernel: CentreKernel | undefined
  return {
    begin({ x, y }, frame, o = {}) {
      const shape = { columns, height, isSingle: precision === 'float32' }
      kernel ??= openCentreKernel({ ...shape, width: x.columns })
      return begun({ x, frame, tile: openRowTile(x, y, shape, kernel), gram, tasks, precision }, o)
    },
    close: () => gram.close(),
  }
}

interface Work {
  readonly x: DenseMatrix
  readonly frame: Frame
  readonly tile: RowTile
  readonly gram: GramAccumulator
  readonly tasks: InFlight
  readonly precision: FloatType
}

async function begun({ x, frame, tile, gram, tasks, precision }: Work, o: BeginOptions): Promise<Gathering> {
  const { shift, scales, unit } = frame
  const m = shift.length
  const count = o.rows?.length ?? x.rows
  const seen = tile.begin({ shifts: shift, factors: scales.map((s) => 1 / s) })
  // More than one only where a block holds all columns.
  const most = gram.blocks.length > 1 ? 1 : Math.max(1, Math.floor(TOGETHER / (m * tile.height)))
  const sum = gram.begin(o.isShared ? sharedNumbers(m * m) : new Float64Array(m * m))
  const own: Promise<void>[] = []
  let weight = 0
  for (let from = 0; from < count; ) {
    throwIfAborted(o.signal)
    const tiles = Math.min(most, Math.ceil((count - from) / tile.height))
    const parts = gram.room(tiles)
    for (let t = 0; t < tiles; t++, from += tile.height) {
      weight += tile.fill(from, Math.min(count, from + tile.height), { ...o, unit })
      for (const [a, b] of gram.blocks.entries()) tile.copy(b, parts[a]!, t)
    }
    const task = sum.add(parts)
    own.push(task)
    await tasks.push(task)
  }
  const sums = { shifted: seen.sums.slice(), squares: seen.squares.slice(), weight, count }
  return {
    ...factsOf(sums, frame),
    async end() {
      await Promise.all(own)
      return momentsFrom(sum.end(), sums, frame, ROUNDING[precision])
    },
  }
}

/** A variance in the frame of which float32 holds the squares and their sums, those of outliers too. */
const isSquarable = (variance: number): boolean => variance > 2 ** -60 && variance < 2 ** 60

/** What the sums alone say, before any product is there. */
function factsOf({ shifted, squares, weight, count }: Sums, { shift, scales, unit }: Frame): Omit<Gathering, 'end'> {
  // In the frame: how far the means are from it, and Σ w (v − mean)².
  const away = shifted.map((sum) => (weight === 0 ? 0 : sum / weight))
  const spread = squares.map((square, j) => Math.max(0, square - weight * away[j]! ** 2))
  const means = shift.map((v, j) => v + away[j]! * scales[j]!)
  const isWhole = means.every(Number.isFinite)
  return {
    isUsable: means.every((mean, j) => Math.abs(mean) <= MOST && unit * spread[j]! * scales[j]! ** 2 <= MOST * MOST),
    // Of what is no number another frame makes nothing.
    isNear:
      count === 0 ||
      !isWhole ||
      away.every((a, j) => !(weight * a ** 2 > spread[j]!) && (spread[j] === 0 || isSquarable(spread[j]! / weight))),
    frame: {
      shift: means,
      scales: scales.map((scale, j) => powerOf(scale * Math.sqrt(spread[j]! / weight))),
      unit,
    },
  }
}

/** Of the rows, in the frame. */
interface Sums {
  readonly shifted: Float64Array
  readonly squares: Float64Array
  readonly weight: number
  readonly count: number
}

function momentsFrom(
  scatter: Float64Array,
  { shifted, squares, weight, count }: Sums,
  { shift, scales, unit }: Frame,
  least: number,
): Moments {
  const m = shift.length
  // Squares have no signs that let rounding cancel: what products lost of these is the most that they lost of any.
  let rounding = least
  for (let j = 0; j < m; j++) {
    const exact = squares[j]!
    if (exact > 0) rounding = Math.max(rounding, Math.abs(scatter[j * m + j]! - exact) / exact)
    scatter[j * m + j] = exact
  }
  const away = shift.map((_, j) => (weight === 0 ? 0 : (shifted[j]! * scales[j]!) / weight))
  for (let j = 0; j < m; j++)
    for (let k = 0; k < m; k++)
      scatter[j * m + k] = unit * (scatter[j * m + k]! * scales[j]! * scales[k]! - weight * away[j]! * away[k]!)
  return { count, weight: unit * weight, means: shift.map((v, j) => v + away[j]!), scatter, rounding }
}

const powerOf = (size: number): number => 2 ** Math.ceil(Math.log2(size || 1))

/** Rows from all over the table. */
const SAMPLE = 1024

/** Means and ranges of some of the rows, and the mean weight of all. */
export function sampleFrame(
  x: DenseMatrix,
  y: ArrayLike<number> | null,
  parts: readonly (ArrayLike<number> | undefined)[],
  weights: ArrayLike<number> | undefined,
): Frame {
  const p = x.columns
  const [byRow, byColumn] = stridesOf(x)
  const each = Math.ceil(SAMPLE / parts.length)
  const at = parts.flatMap((rows) => {
    const n = rows?.length ?? x.rows
    const many = Math.min(n, each)
    return Array.from({ length: many }, (_, i) => Math.floor((i * n) / many)).map((i) => rows?.[i] ?? i)
  })
  const shift = new Float64Array(p + Number(y !== null))
  const ranges = new Float64Array(shift.length)
  for (const i of at) {
    for (let j = 0; j < p; j++) shift[j]! += x.data[i * byRow + j * byColumn]! / at.length
    if (y !== null) shift[p]! += y[i]! / at.length
  }
  for (const i of at) {
    for (let j = 0; j < p; j++)
      ranges[j] = Math.max(ranges[j]!, Math.abs(x.data[i * byRow + j * byColumn]! - shift[j]!))
    if (y !== null) ranges[p] = Math.max(ranges[p]!, Math.abs(y[i]! - shift[p]!))
  }
  let weight = 0
  if (weights !== undefined)
    for (const rows of parts)
      for (let i = 0, n = rows!.length; i < n; i++) weight += weights[rows![i]!]! / (n * parts.length)
  return { shift, scales: ranges.map(powerOf), unit: powerOf(weight) }
}
