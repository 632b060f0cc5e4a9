/** Layers without weights that give what comes in another shape or scale. */

import { int } from '../../ir/attrs.js'
import { elementCount, i64 } from '../../ir/tensor.js'
import { type Layer, wrongShape } from './layer.js'

/** [a, b, …] becomes [a·b·…]. */
export const flatten =
  (): Layer =>
  (b, { name: x, shape }, name) => ({
    name: b.op('Flatten', [x], { name, attrs: { axis: int(1) } }),
    shape: [elementCount(shape)],
  })

/** Times a number: pixels of 0 … 255 by 1/255, say, so that the model takes them as they are. */
export const scale =
  (factor: number): Layer =>
  (b, { name: x, shape }, name) => ({
    name: b.op('Mul', [x, b.number(factor, `${name}.factor`)], { name }),
    shape,
  })

/** [a, b, …] under another shape of as many elements. */
export const reshape =
  (...to: readonly number[]): Layer =>
  (b, { name: x, shape }, name) => {
    if (elementCount(shape) !== elementCount(to)) throw wrongShape('reshape', `${elementCount(to)} elements`, shape)
    return {
      name: b.op('Reshape', [x, b.constant(i64([to.length + 1], [-1, ...to]), `${name}.shape`)], { name }),
      shape: to,
    }
  }
