/** The nearest neighbours of each row, by the Euclidean distance. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { numbers, tensor } from '../ir/tensor.js'
import { type DenseMatrix, stridesOf } from '../linear/design.js'
import { encodeModel } from '../onnx/codec.js'
import type { RunOptions } from '../util/env.js'
import { inFlight } from '../util/in-flight.js'
import { rareTurns } from '../util/turns.js'
import { type ListOptions, searchLists } from './inverted-lists.js'
import { nearestModel, queriesOf, type ScaledRows } from './nearest-products.js'

export interface Neighbours {
  readonly count: number
  readonly k: number
  /** Of each row, the nearest first and never itself: [count, k]. */
  readonly indices: Int32Array
  /** Their square distances. */
  readonly squares: Float64Array
}

export interface NeighbourOptions extends Pick<RunOptions, 'onProgress' | 'signal' | 'seed'> {
  /** Without one all is done in plain loops. */
  readonly engine?: Engine | undefined
  /** Whose neighbours among the rows are looked for. Default: of the rows themselves, each of which is none of its own. */
  readonly of?: DenseMatrix
  /** Default: `lists` for so many rows that all pairs would take minutes. */
  readonly search?: 'exact' | 'lists'
}

/** Rows from which on lists take less time than all pairs. */
const MANY_ROWS = 150_000

/** Pairs from which on the engine is worth its way. */
const MANY = 1e6

/** Distances that the engine has at once, about. */
const TOGETHER = 1 << 23

/** Candidates more than asked: distances in float32 are not told apart where they are very close. */
const SPARE = 8

/**
 * Of all pairs, or, from `MANY_ROWS` on, of those in lists that are near, where some in a hundred are missed. The engine
 * looks in float32 and distances are then taken in float64: neighbours that differ by less than 1e-7 of the square of the
 * largest distance from the mean may be taken for each other. `k`: below the number of rows.
 */
export async function nearestNeighbours(x: DenseMatrix, k: number, o: NeighbourOptions = {}): Promise<Neighbours> {
  const { engine, of, signal, seed = 0, search = of === undefined && x.rows >= MANY_ROWS ? 'lists' : 'exact' } = o
  const data = byRows(x)
  const asked = of === undefined ? data : byRows(of)
  const { rows, columns } = x
  const count = of?.rows ?? rows
  const found: Neighbours = { count, k, indices: new Int32Array(count * k), squares: new Float64Array(count * k) }
  const take = openSorter({ data, asked, columns, isOwn: of === undefined }, found)
  if (engine === undefined || rows * count < MANY) {
    const all = Int32Array.from({ length: rows }, (_, j) => j)
    const turn = rareTurns()
    for (let i = 0; i < count; i++) {
      take(i, all)
      await turn()
      throwIfAborted(signal)
    }
    return found
  }
  const candidates = Math.min(rows, k + 1 + SPARE)
  const frame = frameOf(data, rows, columns)
  const targets = scaled(data, rows, frame)
  if (search === 'lists' && of === undefined) await searchLists(targets, take, { ...o, engine, seed, candidates })
  else
    await searchAll(targets, of === undefined ? targets : scaled(asked, count, frame), take, {
      ...o,
      engine,
      candidates,
    })
  return found
}

async function searchAll(
  targets: ScaledRows,
  queries: ScaledRows,
  take: (i: number, candidates: ArrayLike<number>) => void,
  { engine, candidates, signal, onProgress }: Omit<ListOptions, 'seed'>,
): Promise<void> {
  const { count, columns } = queries
  const height = Math.min(count, Math.max(16, Math.floor(TOGETHER / targets.count)))
  const model = nearestModel(columns, candidates, targets)
  const session = await engine.load(encodeModel(model).bytes, signal ? { signal } : {})
  try {
    // The next rows are with the engine while those before are sorted.
    const tasks = inFlight(1)
    for (let from = 0; from < count; from += height) {
      throwIfAborted(signal)
      const to = Math.min(count, from + height)
      // The last ones are filled up with the first.
      const which = Array.from({ length: height }, (_, r) => (from + r < count ? from + r : 0))
      const feeds = { rows: tensor('float32', [height, columns + 1], queriesOf(queries, which)) }
      const task = session.run(feeds, { lend: ['rows'] }).then((results) => {
        const nearest = numbers(results.nearest!)
        for (let i = from; i < to; i++) take(i, nearest.subarray((i - from) * candidates, (i - from + 1) * candidates))
        onProgress?.({ task: 'neighbours', done: to, total: count })
      })
      await tasks.push(task)
    }
    await tasks.end()
  } finally {
    await session.close()
  }
}

/** Row by row, in place where they lie so. */
function byRows(x: DenseMatrix): ArrayLike<number> {
  const [byRow, byColumn] = stridesOf(x)
  if (byColumn === 1 && byRow === x.columns) return x.data
  const out = new Float64Array(x.rows * x.columns)
  for (let i = 0, at = 0; i < x.rows; i++)
    for (let j = 0; j < x.columns; j++) out[at++] = x.data[i * byRow + j * byColumn]!
  return out
}

interface Rows {
  readonly data: ArrayLike<number>
  readonly asked: ArrayLike<number>
  readonly columns: number
  /** Whether those asked are the rows themselves. */
  readonly isOwn: boolean
}

/** Takes the k nearest of some candidates for a row, by distances in float64; of equal ones, those that come first. */
function openSorter({ data, asked, columns, isOwn }: Rows, { k, indices, squares }: Neighbours) {
  return (i: number, candidates: ArrayLike<number>): void => {
    const [base, own] = [i * k, i * columns]
    let size = 0
    for (let c = 0; c < candidates.length; c++) {
      const j = candidates[c]!
      if (isOwn && j === i) continue
      const worst = size < k ? Number.POSITIVE_INFINITY : squares[base + k - 1]!
      let square = 0
      for (let d = 0, other = j * columns; d < columns; d++) square += (asked[own + d]! - data[other + d]!) ** 2
      if (!(square < worst)) continue
      let at = size < k ? size++ : k - 1
      for (; at > 0 && squares[base + at - 1]! > square; at--) {
        squares[base + at] = squares[base + at - 1]!
        indices[base + at] = indices[base + at - 1]!
      }
      squares[base + at] = square
      indices[base + at] = j
    }
  }
}

/** About the means and in units of the largest number, so that little cancels in float32. */
interface Frame {
  readonly means: Float64Array
  readonly unit: number
}

function frameOf(data: ArrayLike<number>, rows: number, columns: number): Frame {
  const means = new Float64Array(columns)
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++) means[j]! += data[at++]! / rows
  let largest = 0
  for (let i = 0, at = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) largest = Math.max(largest, Math.abs(data[at++]! - means[j]!))
  return { means, unit: 1 / (largest || 1) }
}

function scaled(data: ArrayLike<number>, count: number, { means, unit }: Frame): ScaledRows {
  const columns = means.length
  const out = new Float32Array(count * columns)
  for (let i = 0, at = 0; i < count; i++)
    for (let j = 0; j < columns; j++, at++) out[at] = unit * (data[at]! - means[j]!)
  return { data: out, count, columns }
}
