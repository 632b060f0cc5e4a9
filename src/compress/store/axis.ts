/** The axis along which integers with scales lose least. */

import { ELEMENTS_PER_SCALE } from '../../grids/channels.js'
import { type QuantizedWeight, quantizeWeight, weightError } from '../quantize/weights.js'

/** Integers in −limit … limit, with scales along one axis or one scale for all. */
export function bestAxis(data: Float32Array, shape: readonly number[], limit = 127): QuantizedWeight {
  const axes = [null, ...shape.keys()].filter(
    (a) => a === null || (shape[a]! > 1 && data.length / shape[a]! >= ELEMENTS_PER_SCALE),
  )
  const tried = axes.map((axis) => {
    const q = quantizeWeight(data, shape, axis, [limit])
    return { q, error: weightError(data, shape, q) }
  })
  return tried.reduce((a, b) => (b.error < a.error ? b : a)).q
}
