/** Quantizing weights: symmetric integers with one scale for the tensor, or one for each index along an axis. */

import { clamp, roundEven, safeScale } from '../../grids/affine.js'
import { channelsAlong, forEachChannel } from '../../grids/channels.js'
import { histogramCollector } from '../../grids/histogram.js'
import { rangeOf } from '../../grids/ranges.js'
import { elements, f32, floats, tensor } from '../../ir/tensor.js'
import type { Graph, Tensor } from '../../ir/types.js'
import type { Grids, Unit } from './units.js'

/** Largest weight integer: 127; with 64 any two products fit into 16 bits (255 · 64 · 2 < 2¹⁵). */
export const FULL = 127
export const REDUCED = 64

export interface QuantizedWeight {
  /** int8, the shape of the original. */
  readonly values: Tensor
  /** float32: a scalar, or one element an index along `axis`. */
  readonly scale: Tensor
  readonly axis: number | null
}

/**
 * real ≈ q · scale with q in [−limit, limit], where scale = max|real| / limit for each channel. `limits`: one for all,
 * or one a channel. `floors` raises single scales (the overflow rule for a bias needs that).
 */
export function quantizeWeight(
  data: Float32Array,
  shape: readonly number[],
  axis: number | null,
  limits: ArrayLike<number> = [FULL],
  floors?: ArrayLike<number>,
): QuantizedWeight {
  const { channels, channelOf } = channelsAlong(shape, axis)
  const peak = new Float64Array(channels)
  forEachChannel(data, channelOf, (v, c) => {
    const a = Math.abs(v)
    if (a > peak[c]!) peak[c] = a
  })
  const most = Uint8Array.from(peak, (_, c) => limits[limits.length === 1 ? 0 : c]!)
  const scale = Float32Array.from(peak, (p, c) => finite(safeScale(Math.max(p / most[c]!, floors?.[c] ?? 0)), most[c]!))
  const values = new Int8Array(data.length)
  let i = 0
  forEachChannel(data, channelOf, (v, c) => {
    values[i++] = clamp(roundEven(v / scale[c]!), -most[c]!, most[c]!)
  })
  return { values: tensor('int8', shape, values), scale: f32(axis === null ? [] : [channels], scale), axis }
}

/** A scale that rounded up may carry the largest float32 to infinity: the next one down does not. */
const finite = (scale: number, limit: number): number =>
  Number.isFinite(Math.fround(scale * limit)) ? scale : Math.fround(scale * (1 - 2 ** -23))

/**
 * One scale for the whole tensor, chosen for the least mean squared error: a few large weights are clipped so that the
 * many small ones are finer. (With a scale a channel there is little left to gain.)
 */
export function quantizeWholeWeight(
  data: Float32Array,
  shape: readonly number[],
  limit: number = FULL,
): QuantizedWeight {
  const histogram = histogramCollector()
  histogram.add(data)
  const [lo, hi] = rangeOf(histogram.snapshot(), 'mse', { dtype: 'int8', symmetric: true })
  const peak = Math.max(-lo, hi)
  const clipped = data.map((v) => clamp(v, -peak, peak))
  const kept = quantizeWeight(clipped, shape, null, [limit])
  const plain = quantizeWeight(data, shape, null, [limit])
  return weightError(data, shape, kept) < weightError(data, shape, plain) ? kept : plain
}

/** Mean squared error of the reconstruction. */
export function weightError(data: Float32Array, shape: readonly number[], q: QuantizedWeight): number {
  const { channelOf } = channelsAlong(shape, q.axis)
  const values = elements(q.values) as Int8Array
  const scale = floats(q.scale)
  let sum = 0
  let i = 0
  forEachChannel(data, channelOf, (v, c) => {
    sum += (v - values[i++]! * scale[c]!) ** 2
  })
  return sum / Math.max(1, data.length)
}

/** Largest bias integer: half of what 32 bits hold, so that a sum of products fits in beside it. */
const BIAS_LIMIT = 2 ** 30

/** Units by the weight that they read. */
export function unitsByWeight(units: readonly Unit[]): ReadonlyMap<string, readonly Unit[]> {
  const map = new Map<string, Unit[]>()
  for (const unit of units) {
    if (unit.weight === undefined) continue
    const list = map.get(unit.weight)
    if (list) list.push(unit)
    else map.set(unit.weight, [unit])
  }
  return map
}

/** One weight as integers up to `limits`, for all `units` that read it. Scales are raised where the bias of one would overflow. */
export function unitWeight(
  units: readonly Unit[],
  graph: Graph,
  grids: Grids,
  perChannel: boolean,
  limits: ArrayLike<number>,
): QuantizedWeight {
  const { weight, axis } = units[0]!
  const w = graph.constants.get(weight!)!
  const floors = new Float64Array(w.shape[axis!]!)
  for (const { bias, data } of units) {
    if (bias === undefined) continue
    const inputScale = grids.get(data[0]!)!.scale
    floats(graph.constants.get(bias)!).forEach((b, c) => {
      floors[c] = Math.max(floors[c]!, Math.abs(b) / inputScale / BIAS_LIMIT)
    })
  }
  const most = floors.reduce((a, b) => Math.max(a, b), 0)
  return quantizeWeight(floats(w), w.shape, perChannel ? axis! : null, limits, perChannel ? floors : [most])
}

/** Weights with NaN or infinities have no grid. */
export const allFinite = (t: Tensor): boolean => floats(t).every(Number.isFinite)
