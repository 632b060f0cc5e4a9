/** Moments of large data on the engine, of small data by plain loops. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { FloatType } from '../ir/builder.js'
import { type GramAccumulator, openGram } from '../linalg/gram.js'
import type { RunOptions } from '../util/env.js'
import { type InFlight, inFlight } from '../util/in-flight.js'
import { sharedNumbers } from '../util/tasks.js'
import { checkCells, checkDesign, checkUnsummed, type DenseMatrix, MOST, rowsWithWeight, stridesOf } from './design.js'
import { type MomentOptions, type Moments, momentsOf, ROUNDING } from './moments.js'
import { openRowTile, type RowTile } from './row-tile.js'

export interface GatherOptions extends MomentOptions, Pick<RunOptions, 'signal'> {
  /** Without one all is done in plain loops, which is some ten times slower. */
  readonly engine?: Engine | undefined
  /** Of products on the engine; sums are in float64. float32 takes half the time. Default `float64`. */
  readonly precision?: FloatType
  /** Whether threads see the moments without a copy. Default false. */
  readonly isShared?: boolean
}

/** Multiplications from which on the engine is worth its way. */
const MANY = 1e8

/** Columns from which on products take most of the time, and float32 saves some of it. */
const WIDE = 64

/** Whether so many rows are for the engine. */
export const isMany = (rows: number, columns: number): boolean => rows * (columns + 1) ** 2 >= MANY

/** `checkDesign`, but for the cells of X where the engine will read them all: then their sums tell. */
export function checkUnread(
  x: DenseMatrix,
  y: ArrayLike<number> | null,
  { engine, weights }: Pick<GatherOptions, 'engine' | 'weights'>,
): void {
  if (engine === undefined || weights !== undefined || !isMany(x.rows, x.columns)) {
    checkDesign(x, y, weights)
    return
  }
  checkUnsummed(x, y)
}

/** `y` is null where nothing is predicted: then they are those of X alone. */
export async function gatherMoments(
  x: DenseMatrix,
  y: ArrayLike<number> | null,
  o: GatherOptions = {},
): Promise<Moments> {
  const [moments] = await gatherParts(x, y, [o.rows], o)
  return moments!
}

/** Of several parts of the rows; undefined is all of them. */
export async function gatherParts(
  x: DenseMatrix,
  y: ArrayLike<number> | null,
  parts: readonly (ArrayLike<number> | undefined)[],
  options: GatherOptions,
): Promise<readonly Moments[]> {
  const { engine, weights } = options
  const given = parts.map((rows) => (weights === undefined ? rows : rowsWithWeight(x.rows, { weights, rows })))
  const of = (rows: ArrayLike<number> | undefined): GatherOptions => (rows ? { ...options, rows } : options)
  const count = given.reduce((sum, rows) => sum + (rows?.length ?? x.rows), 0)
  if (engine === undefined || !isMany(count, x.columns)) return parts.map((rows) => momentsOf(x, y, of(rows)))
  const columns = x.columns + Number(y !== null)
  const precision = columns < WIDE ? 'float64' : (options.precision ?? 'float64')
  const height = heightOf(
    columns,
    precision,
    given.map((rows) => rows?.length ?? x.rows),
  )
  // The engine takes the model in while the first rows are looked at.
  const opening = openGram({ engine, columns, precision, tile: height })
  const tile = openRowTile(x, y, { columns, height, isSingle: precision === 'float32' })
  const frame = sampleFrame(x, y, given, weights)
  const gram = await opening
  const tasks = inFlight(1)
  const gather = (at: Frame, rows: ArrayLike<number> | undefined): Promise<Gathering> =>
    begun(at, { gram, tile, tasks, precision }, x, of(rows))
  const found: Moments[] = []
  const take = async ({ rows, end }: Gathering): Promise<void> => {
    const first = await end()
    const moments = isNear(first, frame) ? first : await (await gather(frameOf(first, frame), rows)).end()
    if (!isUsable(moments)) checkCells(x)
    // What no frame brings to numbers that can be squared.
    const isWhole = moments.means.every(Number.isFinite) && Number.isFinite(moments.rounding)
    found.push(isWhole ? moments : momentsOf(x, y, of(rows)))
  }
  try {
    // The next part is begun before what comes of the last one is waited for.
    let last: Gathering | null = null
    for (const rows of given) {
      const next = await gather(frame, rows)
      if (last !== null) await take(last)
      last = next
    }
    if (last !== null) await take(last)
    return found
  } finally {
    await gram.close()
  }
}

/** Whether they can be of numbers that `checkDesign` lets through. */
function isUsable({ means, scatter }: Moments): boolean {
  const m = means.length
  return means.every((mean, j) => Math.abs(mean) <= MOST && scatter[j * m + j]! <= MOST * MOST)
}

/** Numbers that go to the engine at once, about. */
const TOGETHER = 1 << 21

/**
 * Rows of a tile. From one column to the next is an odd number of lines of the cache, or of pairs of them, so that the columns
 * of a row do not meet in the same ones. `counts` of the parts: what fills up their last tiles is multiplied too.
 */
function heightOf(columns: number, precision: FloatType, counts: readonly number[]): number {
  const heights = precision === 'float32' ? [3088, 2064, 1040] : [1552, 1040, 528]
  const filled = (height: number): number => counts.reduce((sum, n) => sum + height * Math.ceil(n / height), 0)
  const low = heights.at(-1)!
  return heights.find((h) => columns * h <= 2 * TOGETHER && filled(h) <= 1.1 * filled(low)) ?? low
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

/** False where the sampled rows told little of the others: what is far from its mean cancels, or its squares overflow. */
function isNear({ count, means, scatter, weight, rounding }: Moments, { shift }: Frame): boolean {
  // Another frame would not help.
  if (count === 0 || !means.every(Number.isFinite)) return true
  const m = means.length
  const isFar = means.some((mean, j) => weight * (mean - shift[j]!) ** 2 > scatter[j * m + j]!)
  return !isFar && Number.isFinite(rounding)
}

const frameOf = ({ means, scatter, weight }: Moments, { unit }: Frame): Frame => ({
  shift: means,
  scales: means.map((_, j) => powerOf(Math.sqrt(scatter[j * (means.length + 1)]! / weight))),
  unit,
})

interface Tools {
  readonly gram: GramAccumulator
  readonly tile: RowTile
  readonly tasks: InFlight
  readonly precision: FloatType
}

/** Rows that are with the engine. */
interface Gathering {
  readonly rows: ArrayLike<number> | undefined
  end(): Promise<Moments>
}

async function begun(frame: Frame, tools: Tools, { rows }: DenseMatrix, o: GatherOptions): Promise<Gathering> {
  const { shift, scales, unit } = frame
  const { gram, tile, tasks } = tools
  const m = shift.length
  const count = o.rows?.length ?? rows
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
    rows: o.rows,
    async end() {
      await Promise.all(own)
      return momentsFrom(sum.end(), sums, frame, ROUNDING[tools.precision])
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
function sampleFrame(
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
