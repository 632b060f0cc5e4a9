/**
 * Storage-only compression: a weight is kept as int8, int4, float16, bits or base 3 and expanded by Cast (→ Mul by its
 * scale), ops that the engine folds away when it loads the model. The file shrinks, the speed stays that of float32, and
 * every op profits: Conv, LSTM, GRU, Gather, ConvTranspose, weights in subgraphs. (A DequantizeLinear would not be folded.)
 */

import type { SignGrid } from '../../grids/signs.js'
import { elements, floats, tensor } from '../../ir/tensor.js'
import { type Rounder, roundingParam } from '../quantize/rounder.js'
import { FULL } from '../quantize/weights.js'
import { bestAxis } from './axis.js'
import { DIGITS_OPSET } from './digits.js'
import { type Expand, hintOf, oneByOne, overhead, toFloat } from './expand.js'
import { expandF16 } from './half.js'
import { expandSigns, isOnSigns } from './signs.js'
import { storeTransform } from './transform.js'

export const storeInt8 = storeTransform({
  id: 'store/int8',
  summary: 'weights stored as int8 with a scale a channel, computed in float32',
  params: { rounding: roundingParam },
  leavesHalf: true,
  expand: (_, rounder) => oneByOne(expandInt8(rounder)),
})
export const storeF16 = storeTransform({
  id: 'store/f16',
  summary: 'weights stored as float16, computed in float32',
  params: {},
  expand: () => oneByOne(expandF16),
})
export const storeBinary = storeSigns('binary', 'weights of two values a channel stored as bits, exactly')
export const storeTernary = storeSigns('ternary', 'weights of three values a channel stored as base 3, exactly')

/** Only weights that are on the grid: rounding an ordinary weight to its sign ruins a model. */
function storeSigns(grid: SignGrid, summary: string) {
  const values = grid === 'binary' ? 'two' : 'three'
  return storeTransform({
    id: `store/${grid}`,
    summary,
    opset: DIGITS_OPSET,
    params: {},
    takes: {
      test: (t) => isOnSigns(t, grid),
      otherwise: `no weight has ${values} values a channel, as pare train --round-to ${grid} makes them`,
    },
    expand: () => oneByOne(expandSigns(grid)),
  })
}

/** Scales along the axis that loses least; `weight = Cast(q) · scale`, the scale shaped to broadcast. */
const expandInt8 =
  (rounder: Rounder): Expand =>
  (r, name, t) => {
    const plain = bestAxis(floats(t), t.shape)
    if (t.byteLength - plain.values.byteLength - plain.scale.byteLength <= overhead(name, 2, 2)) return null
    const q = rounder.channels(t, plain, [FULL], 'stored')
    const hint = hintOf(name)
    const shape = q.axis === null ? [] : t.shape.map((d, i) => (i === q.axis ? d : 1)).slice(q.axis)
    const real = r.node('Cast', [r.constant(q.values, `${hint}_q`)], r.fresh(`${hint}_c`), toFloat)
    const scale = r.constant(tensor('float32', shape, elements(q.scale)), `${hint}_s`)
    return r.node('Mul', [real, scale], r.fresh(`${hint}_f`))
  }
