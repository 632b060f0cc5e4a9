/** Moments of large data on the engine, of small data by plain loops. */

import type { Engine } from '../engine/engine.js'
import type { FloatType } from '../ir/builder.js'
import type { RunOptions } from '../util/env.js'
import { checkCells, checkDesign, checkUnsummed, type DenseMatrix, rowsWithWeight } from './design.js'
import { type Frame, type Gathering, heightOf, openEngineMoments, precisionOf, sampleFrame } from './engine-moments.js'
import { isWhole, type MomentOptions, type Moments, momentsOf } from './moments.js'

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
  const precision = precisionOf(columns, options.precision)
  const height = heightOf(
    columns,
    precision,
    given.map((rows) => rows?.length ?? x.rows),
  )
  // The engine takes the model in while the first rows are looked at.
  const opening = openEngineMoments({ engine, columns, precision, height })
  const frame = sampleFrame(x, y, given, weights)
  const moments = await opening
  const gather = (at: Frame, rows: ArrayLike<number> | undefined): Promise<Gathering> =>
    moments.begin({ x, y }, at, of(rows))
  const found: Moments[] = []
  const take = async (rows: ArrayLike<number> | undefined, last: Gathering): Promise<void> => {
    const first = await last.end()
    const isGood = last.isNear && Number.isFinite(first.rounding)
    const own = isGood ? first : await (await gather(last.frame, rows)).end()
    if (!last.isUsable) checkCells(x)
    // What no frame brings to numbers that can be squared.
    found.push(isWhole(own) ? own : momentsOf(x, y, of(rows)))
  }
  try {
    // The next part is begun before what comes of the last one is waited for.
    let last: readonly [ArrayLike<number> | undefined, Gathering] | null = null
    for (const rows of given) {
      const next = await gather(frame, rows)
      if (last !== null) await take(...last)
      last = [rows, next]
    }
    if (last !== null) await take(...last)
    return found
  } finally {
    await moments.close()
  }
}
