/** Activations. */

import { int } from '../../ir/attrs.js'
import type { Attr } from '../../ir/types.js'
import type { Layer } from './layer.js'

const elementwise =
  (op: string, attrs: Readonly<Record<string, Attr>> = {}): Layer =>
  (b, { name: x, shape }, name) => ({
    name: b.op(op, [x], { name, attrs }),
    shape,
  })
export const relu = (): Layer => elementwise('Relu')
export const gelu = (): Layer => elementwise('Gelu')
export const tanh = (): Layer => elementwise('Tanh')
export const sigmoid = (): Layer => elementwise('Sigmoid')
export const softmax = (): Layer => elementwise('Softmax', { axis: int(-1) })
