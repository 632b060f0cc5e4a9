/** One reading of the rows for all strengths of a ridge: what is left of y, its gradient, and each row left out. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { FloatType } from '../ir/builder.js'
import type { RidgeBasis } from './ridge-basis.js'
import { type Chunk, type ChunkResult, engineProducts, loopProducts, type Strengths } from './ridge-products.js'
import { type Rows, readRows } from './rows.js'

export interface PassOptions {
  readonly engine?: Engine | undefined
  readonly signal?: AbortSignal | undefined
  readonly hasIntercept: boolean
  /** Of the leverages, on an engine. */
  readonly precision: FloatType
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

/** Numbers of the rows that are read together. */
const CHUNK = 1 << 20

/** 1 − h that rounding alone may have left. */
const ITS_OWN = 1e-12

/** `y`: of the rows that count, about its mean where there is an intercept. */
export async function ridgePass(
  rows: Rows,
  y: Float64Array,
  basis: RidgeBasis,
  strengths: Strengths,
  { engine, signal, hasIntercept, precision }: PassOptions,
): Promise<Pass> {
  const p = rows.x.columns
  const { count, shrinkage } = strengths
  const products =
    engine === undefined
      ? loopProducts(basis, p)
      : await engineProducts(engine, basis, p, shrinkage === null ? null : precision)
  const gradient = new Float64Array(p * count)
  const squares = new Float64Array(count)
  const leftOut =
    shrinkage === null ? null : { errors: new Float64Array(count), squaredErrors: new Float64Array(count), largest: 0 }
  const take = (chunk: Chunk, result: ChunkResult): void => {
    for (let at = 0; at < gradient.length; at++) gradient[at]! += result.gradient[at]!
    addSquares(chunk, result, squares)
    if (leftOut !== null) leftOut.largest = Math.max(leftOut.largest, addLeftOut(chunk, result, leftOut, hasIntercept))
  }
  const total = rows.index.length
  const height = Math.max(64, Math.floor(CHUNK / p))
  try {
    // The next chunk is filled while the engine is at the last one.
    let last: Promise<void> = Promise.resolve()
    const rooms = [0, 1].map(() => new Float64Array(Math.min(total, height) * p))
    for (let from = 0; from < total; from += height) {
      throwIfAborted(signal)
      const chunk = chunkOf(rows, y, from, Math.min(total, from + height), rooms[(from / height) % 2]!)
      await last
      last = products.of(chunk, strengths).then((result) => take(chunk, result))
    }
    await last
  } finally {
    await products.close()
  }
  return { gradient, squares, leftOut }
}

function chunkOf(rows: Rows, y: Float64Array, from: number, to: number, room: Float64Array): Chunk {
  const data = room.subarray(0, (to - from) * rows.x.columns)
  readRows(rows, from, to, data)
  return { count: to - from, rows: data, y: y.slice(from, to), shares: rows.shares.slice(from, to) }
}

function addSquares({ count: n, shares }: Chunk, { errors }: ChunkResult, squares: Float64Array): void {
  for (let i = 0, at = 0; i < n; i++)
    for (let l = 0; l < squares.length; l++, at++) squares[l]! += shares[i]! * errors[at]! * errors[at]!
}

/** Returns the largest leverage. */
function addLeftOut(
  { count: n, shares }: Chunk,
  { errors, leverages }: ChunkResult,
  { errors: sums, squaredErrors }: Omit<LeftOut, 'largest'>,
  hasIntercept: boolean,
): number {
  let largest = 0
  for (let i = 0, at = 0; i < n; i++) {
    const share = shares[i]!
    for (let l = 0; l < sums.length; l++, at++) {
      const h = share * (Number(hasIntercept) + leverages![at]!)
      if (h > largest) largest = h
      const rest = 1 - h
      const error = rest > ITS_OWN ? errors[at]! / rest : Number.POSITIVE_INFINITY
      const square = error * error
      sums[l]! += share * square
      squaredErrors[l]! += share * square * square
    }
  }
  return largest
}
