/** Weights as float16. */

import { floats, floatToHalf, halfToFloat, tensor } from '../../ir/tensor.js'
import { type Expand, hintOf, overhead, toFloat } from './expand.js'

/** Error of a float16, relative to the whole tensor, from which on its values lie outside the type's range. */
const OUTSIDE = 2 ** -10

/** The nearest float16s; null where values beyond 65504 become infinite, or so many are so small that they lose their digits. */
export function halvesOf(values: Float32Array): Uint16Array | null {
  const half = Uint16Array.from(values, floatToHalf)
  let error = 0
  let norm = 0
  for (let i = 0; i < values.length; i++) {
    error += (values[i]! - halfToFloat(half[i]!)) ** 2
    norm += values[i]! ** 2
  }
  return error <= OUTSIDE ** 2 * norm ? half : null
}

export const expandF16: Expand = (r, name, t) => {
  const half = halvesOf(floats(t))
  if (half === null || t.byteLength / 2 <= overhead(name, 1, 1)) return null
  const hint = hintOf(name)
  return r.node('Cast', [r.constant(tensor('float16', t.shape, half), `${hint}_h`)], r.fresh(`${hint}_f`), toFloat)
}
