/** Convolution and pooling over [C, …]. */

import { int, ints } from '../../ir/attrs.js'
import { checkSize, filled, heNormal, type Layer, wrongShape } from './layer.js'

export interface ConvOptions {
  readonly stride?: number
  /** `same` keeps the size (divided by the stride, rounded up); `valid` adds nothing. Default `same`. */
  readonly padding?: 'same' | 'valid'
  /** Channels are split into so many groups; as many as channels make it depthwise. Default 1. */
  readonly groups?: number
}

/** A convolution of [C, …] with `filters` kernels of `kernel` elements along each axis. */
export const conv =
  (filters: number, kernel: number, { stride = 1, padding = 'same', groups = 1 }: ConvOptions = {}): Layer =>
  (b, { name: x, shape: [channels, ...sizes] }, name, generator) => {
    checkSize('conv', 'filters', filters)
    checkSize('conv', 'kernel', kernel)
    if (channels === undefined || sizes.length === 0)
      throw wrongShape('conv', 'channels and at least one more axis', [channels])
    checkSize('conv', 'stride', stride)
    if (padding === 'valid' && sizes.some((n) => n < kernel))
      throw wrongShape('conv', `axes of at least ${kernel}`, [channels, ...sizes])
    if (channels % groups !== 0 || filters % groups !== 0)
      throw wrongShape('conv', `channels and filters that ${groups} divides`, [channels, filters])
    const shape = [filters, channels / groups, ...sizes.map(() => kernel)]
    const weight = b.constant(
      heNormal(b, shape, (channels / groups) * kernel ** sizes.length, generator),
      `${name}.weight`,
    )
    const bias = b.constant(filled(b, [filters], 0), `${name}.bias`)
    const { out, pads } = slide(sizes, kernel, stride, padding)
    const attrs = {
      kernel_shape: ints(sizes.map(() => kernel)),
      strides: ints(sizes.map(() => stride)),
      pads: ints(pads),
      ...(groups > 1 && { group: int(groups) }),
    }
    return { name: b.op('Conv', [x, weight, bias], { name, attrs }), shape: [filters, ...out] }
  }

/** Output sizes and pads (all begin, then all end) of a window that slides along every axis. */
function slide(sizes: readonly number[], kernel: number, stride: number, padding: 'same' | 'valid') {
  if (padding === 'valid')
    return { out: sizes.map((n) => Math.floor((n - kernel) / stride) + 1), pads: sizes.flatMap(() => [0, 0]) }
  const out = sizes.map((n) => Math.ceil(n / stride))
  const total = sizes.map((n, i) => Math.max(0, (out[i]! - 1) * stride + kernel - n))
  return { out, pads: [...total.map((p) => Math.floor(p / 2)), ...total.map((p) => Math.ceil(p / 2))] }
}

const pool =
  (op: 'MaxPool' | 'AveragePool', size: number): Layer =>
  (b, { name: x, shape: [channels, ...sizes] }, name) => {
    checkSize(op, 'size', size)
    if (sizes.length === 0 || sizes.some((n) => n < size))
      throw wrongShape(op, `axes of at least ${size}`, [channels, ...sizes])
    const attrs = { kernel_shape: ints(sizes.map(() => size)), strides: ints(sizes.map(() => size)) }
    return { name: b.op(op, [x], { name, attrs }), shape: [channels!, ...sizes.map((n) => Math.floor(n / size))] }
  }
/** The largest of each window of `size` along every axis of [C, …]. */
export const maxPool = (size = 2): Layer => pool('MaxPool', size)
/** The mean of each window. */
export const averagePool = (size = 2): Layer => pool('AveragePool', size)
/** The mean of each channel: [C, …] becomes [C]. */
export const globalAveragePool =
  (): Layer =>
  (b, { name: x, shape }, name) => ({
    name: b.op('Flatten', [b.op('GlobalAveragePool', [x], { name })], { attrs: { axis: int(1) } }),
    shape: shape.slice(0, 1),
  })
