/** The nearest neighbours of each row, by the Euclidean distance. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { codeOfDType } from '../ir/dtypes.js'
import { numbers, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { type DenseMatrix, stridesOf } from '../linear/design.js'
import { encodeModel } from '../onnx/codec.js'
import type { RunOptions } from '../util/env.js'
import { inFlight } from '../util/in-flight.js'

export interface Neighbours {
  readonly count: number
  readonly k: number
  /** Of each row, the nearest first and never itself: [count, k]. */
  readonly indices: Int32Array
  /** Their square distances. */
  readonly squares: Float64Array
}

export interface NeighbourOptions extends Pick<RunOptions, 'onProgress' | 'signal'> {
  /** Without one all is done in plain loops. */
  readonly engine?: Engine | undefined
}

/** Pairs from which on the engine is worth its way. */
const MANY = 1e6

/** Distances that the engine has at once, about. */
const TOGETHER = 1 << 23

/** Candidates more than asked: distances in float32 are not told apart where they are very close. */
const SPARE = 8

/** Exact: of all pairs. `k`: below the number of rows. */
export async function nearestNeighbours(x: DenseMatrix, k: number, o: NeighbourOptions = {}): Promise<Neighbours> {
  const data = byRows(x)
  const { rows: count, columns } = x
  const indices = new Int32Array(count * k)
  const squares = new Float64Array(count * k)
  const sorter = openSorter(data, columns, { k, indices, squares })
  if (o.engine === undefined || count * count < MANY) {
    const all = Int32Array.from({ length: count }, (_, j) => j)
    for (let i = 0; i < count; i++) sorter.take(i, all)
    return { count, k, indices, squares }
  }
  const candidates = Math.min(count, k + 1 + SPARE)
  const height = Math.min(count, Math.max(16, Math.floor(TOGETHER / count)))
  const { targets, queries } = augmented(data, count, columns)
  const model = nearestModel(targets, { count, columns, candidates, height })
  const session = await o.engine.load(encodeModel(model).bytes, o.signal ? { signal: o.signal } : {})
  try {
    const tasks = inFlight(1)
    for (let from = 0; from < count; from += height) {
      throwIfAborted(o.signal)
      const to = Math.min(count, from + height)
      const rows = new Float32Array(height * (columns + 1))
      rows.set(queries.subarray(from * (columns + 1), to * (columns + 1)))
      const feeds = { rows: tensor('float32', [height, columns + 1], rows) }
      const task = session.run(feeds, { lend: ['rows'] }).then((results) => {
        const found = numbers(results.nearest!)
        for (let i = from; i < to; i++)
          sorter.take(i, found.subarray((i - from) * candidates, (i - from + 1) * candidates))
        o.onProgress?.({ task: 'neighbours', done: to, total: count })
      })
      await tasks.push(task)
    }
    await tasks.end()
  } finally {
    await session.close()
  }
  return { count, k, indices, squares }
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

/** Takes the k nearest of some candidates for a row, by distances in float64; of equal ones, those that come first. */
function openSorter(data: ArrayLike<number>, columns: number, { k, indices, squares }: Omit<Neighbours, 'count'>) {
  return {
    take(i: number, candidates: ArrayLike<number>): void {
      const [base, own] = [i * k, i * columns]
      let size = 0
      for (let c = 0; c < candidates.length; c++) {
        const j = candidates[c]!
        if (j === i) continue
        const worst = size < k ? Number.POSITIVE_INFINITY : squares[base + k - 1]!
        let square = 0
        for (let d = 0, other = j * columns; d < columns; d++) square += (data[own + d]! - data[other + d]!) ** 2
        if (!(square < worst)) continue
        let at = size < k ? size++ : k - 1
        for (; at > 0 && squares[base + at - 1]! > square; at--) {
          squares[base + at] = squares[base + at - 1]!
          indices[base + at] = indices[base + at - 1]!
        }
        squares[base + at] = square
        indices[base + at] = j
      }
    },
  }
}

/**
 * x̃ · ỹ = 2 x·y − |y|² is |x|² less the square distance: one product tells who is near. About the means and in units of the
 * largest number, so that little cancels in float32.
 */
function augmented(data: ArrayLike<number>, count: number, columns: number) {
  const means = new Float64Array(columns)
  for (let i = 0, at = 0; i < count; i++) for (let j = 0; j < columns; j++) means[j]! += data[at++]! / count
  let largest = 0
  for (let i = 0, at = 0; i < count; i++)
    for (let j = 0; j < columns; j++) largest = Math.max(largest, Math.abs(data[at++]! - means[j]!))
  const unit = 1 / (largest || 1)
  const width = columns + 1
  const queries = new Float32Array(count * width)
  const targets = new Float32Array(width * count)
  for (let i = 0; i < count; i++) {
    let square = 0
    for (let j = 0; j < columns; j++) {
      const v = (data[i * columns + j]! - means[j]!) * unit
      queries[i * width + j] = 2 * v
      targets[j * count + i] = v
      square += v * v
    }
    queries[i * width + columns] = -1
    targets[columns * count + i] = square
  }
  return { queries, targets }
}

interface NearestShape {
  readonly count: number
  readonly columns: number
  readonly candidates: number
  readonly height: number
}

function nearestModel(targets: Float32Array, { count, columns, candidates, height }: NearestShape): Model {
  const b = builder(['rows', 'nearest'], 'float32')
  b.input('rows', { kind: 'tensor', dtype: 'float32', shape: [height, columns + 1] })
  const scores = b.op('MatMul', ['rows', b.constant(tensor('float32', [columns + 1, count], targets))])
  const most = b.constant(tensor('int64', [1], BigInt64Array.of(BigInt(candidates))))
  const [, which] = b.ops('TopK', [scores, most], { outputs: 2 })
  b.ops('Cast', [which!], { outputs: ['nearest'], attrs: { to: int(codeOfDType('int32')) } })
  b.output('nearest', { kind: 'tensor', dtype: 'int32', shape: [height, candidates] })
  return modelOf(b.graph('nearest'), { '': 21 })
}
