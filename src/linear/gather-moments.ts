/** Moments of large data on the engine, of small data by plain loops. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { openGram } from '../linalg/gram.js'
import type { RunOptions } from '../util/env.js'
import { type DenseMatrix, type DesignMatrix, isSparse, stridesOf } from './design.js'
import { type MomentOptions, type Moments, momentsOf } from './moments.js'
import { sparseMoments } from './sparse-moments.js'

export interface GatherOptions extends MomentOptions, Pick<RunOptions, 'signal'> {
  /** Without one all is done in plain loops, which is some ten times slower. */
  readonly engine?: Engine | undefined
}

/** Multiplications from which on the engine is worth its way. */
const MANY = 1e8

/** Rows that go to the engine at once. */
const CHUNK = 16_384

export async function gatherMoments(x: DesignMatrix, y: ArrayLike<number>, o: GatherOptions = {}): Promise<Moments> {
  if (isSparse(x)) return sparseMoments(x, y, o)
  const count = o.rows?.length ?? x.rows
  const { engine } = o
  if (engine === undefined || count * (x.columns + 1) ** 2 < MANY) return momentsOf(x, y, o)
  const { means, scales, weight, used } = firstMoments(x, y, o)
  const m = x.columns + 1
  const gram = await openGram({ engine, columns: m, precision: 'float32' })
  try {
    // The next chunk is filled while the engine multiplies the last one.
    let last: Promise<void> = Promise.resolve()
    for (let from = 0; from < count; from += CHUNK) {
      throwIfAborted(o.signal)
      const chunk = centredRows(x, y, o, { means, scales }, from, Math.min(count, from + CHUNK))
      await last
      last = gram.add(chunk)
    }
    await last
    const scatter = gram.sum()
    for (let j = 0; j < m; j++) for (let k = 0; k < m; k++) scatter[j * m + k]! *= scales[j]! * scales[k]!
    return { count: used, weight, means, scatter }
  } finally {
    await gram.close()
  }
}

/** Means, and powers of two that bring what is centred near 1, so that squares fit into float32. */
function firstMoments(x: DenseMatrix, y: ArrayLike<number>, { weights, rows }: MomentOptions) {
  const p = x.columns
  const [byRow, byColumn] = stridesOf(x)
  const sums = new Float64Array(p + 1)
  const low = new Float64Array(p + 1).fill(Number.POSITIVE_INFINITY)
  const high = new Float64Array(p + 1).fill(Number.NEGATIVE_INFINITY)
  const see = (j: number, v: number, w: number): void => {
    sums[j]! += w * v
    if (v < low[j]!) low[j] = v
    if (v > high[j]!) high[j] = v
  }
  const n = rows?.length ?? x.rows
  let [weight, used] = [0, 0]
  for (let i = 0; i < n; i++) {
    const row = rows === undefined ? i : rows[i]!
    const w = weights === undefined ? 1 : weights[row]!
    if (w === 0) continue
    used++
    weight += w
    const at = row * byRow
    for (let j = 0; j < p; j++) see(j, x.data[at + j * byColumn]!, w)
    see(p, y[row]!, w)
  }
  const means = sums.map((s) => s / weight)
  const scales = means.map((_, j) => 2 ** Math.ceil(Math.log2(high[j]! - low[j]! || 1)))
  return { means, scales, weight, used }
}

/** √w (z − mean) / scale of rows `from` to `to`, y last. */
function centredRows(
  x: DenseMatrix,
  y: ArrayLike<number>,
  { weights, rows }: MomentOptions,
  { means, scales }: { readonly means: Float64Array; readonly scales: Float64Array },
  from: number,
  to: number,
): Float32Array {
  const p = x.columns
  const [byRow, byColumn] = stridesOf(x)
  const out = new Float32Array((to - from) * (p + 1))
  let at = 0
  for (let i = from; i < to; i++) {
    const row = rows === undefined ? i : rows[i]!
    const root = weights === undefined ? 1 : Math.sqrt(weights[row]!)
    const begin = row * byRow
    for (let j = 0; j < p; j++) out[at++] = (root * (x.data[begin + j * byColumn]! - means[j]!)) / scales[j]!
    out[at++] = (root * (y[row]! - means[p]!)) / scales[p]!
  }
  return out
}
