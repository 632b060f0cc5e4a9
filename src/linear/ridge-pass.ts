/** One reading of the rows for all strengths of a ridge: what is left of y, its gradient, and each row left out. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { inFlight } from '../util/in-flight.js'
import { addTo } from '../util/sums.js'
import type { RidgeBasis } from './ridge-basis.js'
import { engineProducts, type LeftOutSums, loopProducts, type RidgeSums, type Strengths } from './ridge-products.js'
import { openRowTile } from './row-tile.js'
import type { Rows } from './rows.js'

export interface PassOptions {
  readonly engine?: Engine | undefined
  readonly signal?: AbortSignal | undefined
  readonly hasIntercept: boolean
}

export interface Pass {
  /** Σ ω (y − xᵀβ) x: [p, strengths] */
  readonly gradient: Float64Array
  /** Σ ω (y − xᵀβ)²: [strengths] */
  readonly squares: Float64Array
  /** Where leverages were asked, by strength. */
  readonly leftOut: LeftOut | null
}

export interface LeftOut {
  /** Σ ω t of t = ((y − xᵀβ) / (1 − h))², the error of a row by a fit without it; Infinity where a row has an h of 1. */
  readonly errors: Float64Array
  /** Σ ω t² */
  readonly squaredErrors: Float64Array
  /** The largest h of all rows and strengths. */
  readonly largest: number
}

/** Rows that are read together: as for Gram matrices in float64, and few where there are many columns. */
const HEIGHTS = [1552, 528, 64]
const TOGETHER = 1 << 22

/** `y`: of the rows that count, about its mean where there is an intercept. */
export async function ridgePass(
  rows: Rows,
  y: Float64Array,
  basis: RidgeBasis,
  strengths: Strengths,
  { engine, signal, hasIntercept }: PassOptions,
): Promise<Pass> {
  const { x, index, isAll, shifts, factors, shares } = rows
  const p = x.columns
  const total = index.length
  const height = HEIGHTS.find((h) => h * p <= TOGETHER && h < 2 * total) ?? HEIGHTS.at(-1)!
  const shape = { columns: p, height, hasIntercept }
  const products =
    engine === undefined ? loopProducts(basis, strengths, shape) : await engineProducts(engine, basis, strengths, shape)
  const tile = openRowTile(x, null, { columns: p, height, isSingle: false })
  tile.begin({ shifts, factors })
  const list = isAll ? {} : { rows: index }
  const sums = openSums(p, strengths)
  try {
    // The next chunk is filled while the engine is at the last one.
    const tasks = inFlight(1)
    for (let from = 0; from < total; from += height) {
      throwIfAborted(signal)
      const to = Math.min(total, from + height)
      const [own, room] = [{ y: new Float64Array(height), shares: new Float64Array(height) }, products.room()]
      own.y.set(y.subarray(from, to))
      own.shares.set(shares.subarray(from, to))
      tile.fill(from, to, list)
      tile.copy({ from: 0, to: p }, room, 0)
      await tasks.push(products.of({ ...own, rows: room }).then(sums.add))
    }
    await tasks.end()
  } finally {
    await products.close()
  }
  return sums.end()
}

function openSums(p: number, { count, shrinkage }: Strengths) {
  const gradient = new Float64Array(p * count)
  const squares = new Float64Array(count)
  const leftOut = shrinkage === null ? null : leftOutSums(count)
  return {
    add(found: RidgeSums): void {
      addTo(gradient, found.gradient)
      addTo(squares, found.squares)
      if (found.leftOut !== null) leftOut?.add(found.leftOut)
    },
    end: (): Pass => ({ gradient, squares, leftOut: leftOut?.end() ?? null }),
  }
}

/** Of chunks of rows. */
export function leftOutSums(count: number) {
  const errors = new Float64Array(count)
  const squaredErrors = new Float64Array(count)
  let largest = 0
  return {
    add(found: LeftOutSums): void {
      addTo(errors, found.errors)
      addTo(squaredErrors, found.squaredErrors)
      largest = Math.max(largest, found.largest)
    },
    end: (): LeftOut => ({ errors, squaredErrors, largest }),
  }
}
