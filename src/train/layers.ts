/** Layers that build graphs, and nothing else: each adds its nodes and its initial weights to a builder. */

import { float, int, ints } from '../ir/attrs.js'
import { type Builder, builder, modelOf } from '../ir/builder.js'
import { elementCount, f32, i64 } from '../ir/tensor.js'
import type { Attr, Dim, Model, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type Random, random } from '../util/random.js'

/** Where a layer stands: the value before it, and the shape of one sample there. */
export interface At {
  readonly name: string
  readonly shape: readonly number[]
}

/** Adds a layer behind `at`; `name` is free for its values, `random` draws its weights. */
export type Layer = (b: Builder, at: At, name: string, random: Random) => At

export interface SequentialOptions {
  /** Shape of one sample, without the batch axis. */
  readonly input: readonly number[]
  /** Name of the input. Default `input`. */
  readonly inputName?: string
  readonly seed?: number
}

/**
 * A model of layers one behind the other, with random weights (one seed, the same weights), whose batch axis `N` is
 * open. Throws `LAYER_SHAPE` where a layer does not fit what comes before it.
 *
 * ```ts
 * const model = sequential([flatten(), dense(256), relu(), dense(10)], { input: [1, 28, 28] })
 * ```
 */
export function sequential(
  layers: readonly Layer[],
  { input, inputName = 'input', seed = 0 }: SequentialOptions,
): Model {
  const b = builder()
  const generator = random(seed)
  b.input(inputName, { kind: 'tensor', dtype: 'float32', shape: ['N', ...input] })
  const last = layers.reduce<At>((at, layer, i) => layer(b, at, `layer${i}`, generator.fork(i)), {
    name: inputName,
    shape: input,
  })
  const output = b.ops('Identity', [last.name], { outputs: [b.fresh('output')] })[0]!
  const shape: readonly Dim[] = ['N', ...last.shape]
  b.output(output, { kind: 'tensor', dtype: 'float32', shape })
  return modelOf(b.graph('sequential'))
}

/** Normal with variance 2 / fan-in, which keeps the scale of activations through rectifiers (He et al. 2015, eq. 10). */
function heNormal(shape: readonly number[], fanIn: number, { normal }: Random): Tensor {
  const deviation = Math.sqrt(2 / Math.max(1, fanIn))
  return f32(
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => normal(0, deviation)),
  )
}

const filled = (shape: readonly number[], value: number): Tensor =>
  f32(shape, new Float32Array(elementCount(shape)).fill(value))

/** y = x W + b on the last axis: `units` outputs. */
export const dense =
  (units: number): Layer =>
  (b, { name: x, shape }, name, generator) => {
    checkSize('dense', 'units', units)
    const width = shape.at(-1)
    if (width === undefined) throw wrongShape('dense', 'an axis to work on', shape)
    const weight = b.constant(heNormal([width, units], width, generator), `${name}.weight`)
    const bias = b.constant(filled([units], 0), `${name}.bias`)
    const out = [...shape.slice(0, -1), units]
    if (shape.length === 1) return { name: b.op('Gemm', [x, weight, bias], { name }), shape: out }
    return { name: b.op('Add', [b.op('MatMul', [x, weight], { name }), bias]), shape: out }
  }

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
    if (channels % groups !== 0 || filters % groups !== 0)
      throw wrongShape('conv', `channels and filters that ${groups} divides`, [channels, filters])
    const shape = [filters, channels / groups, ...sizes.map(() => kernel)]
    const weight = b.constant(
      heNormal(shape, (channels / groups) * kernel ** sizes.length, generator),
      `${name}.weight`,
    )
    const bias = b.constant(filled([filters], 0), `${name}.bias`)
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

/** [a, b, …] becomes [a·b·…]. */
export const flatten =
  (): Layer =>
  (b, { name: x, shape }, name) => ({
    name: b.op('Flatten', [x], { name, attrs: { axis: int(1) } }),
    shape: [elementCount(shape)],
  })

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

/** Each channel of [C, …] to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and Szegedy 2015). */
export const batchNorm =
  ({ momentum = 0.9, epsilon = 1e-5 }: { readonly momentum?: number; readonly epsilon?: number } = {}): Layer =>
  (b, { name: x, shape }, name) => {
    const channels = [shape[0] ?? 1]
    const values = [1, 0, 0, 1].map((v, i) =>
      b.constant(filled(channels, v), `${name}.${['scale', 'bias', 'mean', 'variance'][i]}`),
    )
    const attrs = { momentum: float(momentum), epsilon: float(epsilon) }
    return { name: b.op('BatchNormalization', [x, ...values], { name, attrs }), shape }
  }

/** The last axis to mean 0 and variance 1, then scaled and shifted (Ba et al. 2016). */
export const layerNorm =
  (): Layer =>
  (b, { name: x, shape }, name) => {
    const width = [shape.at(-1) ?? 1]
    const values = [1, 0].map((v, i) => b.constant(filled(width, v), `${name}.${['scale', 'bias'][i]}`))
    return { name: b.op('LayerNormalization', [x, ...values], { name, attrs: { axis: int(-1) } }), shape }
  }

/** Times a number: pixels of 0 … 255 by 1/255, say, so that the model takes them as they are. */
export const scale =
  (factor: number): Layer =>
  (b, { name: x, shape }, name) => ({
    name: b.op('Mul', [x, b.constant(f32([], [factor]), `${name}.factor`)], { name }),
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

/** Layers as one, added to what goes in: shapes must agree (He et al. 2016). */
export const residual =
  (...layers: readonly Layer[]): Layer =>
  (b, at, name, generator) => {
    const last = layers.reduce<At>((before, layer, i) => layer(b, before, `${name}.${i}`, generator.fork(i)), at)
    if (last.shape.join() !== at.shape.join())
      throw wrongShape('residual', `[${at.shape.join(', ')}] as it went in`, last.shape)
    return { name: b.op('Add', [at.name, last.name], { name }), shape: at.shape }
  }

function checkSize(layer: string, what: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return
  throw new PareError('LAYER_SHAPE', `${what} is a whole number of at least 1`, {
    where: layer,
    value,
    remedy: 'Give e.g. 32.',
  })
}

const wrongShape = (layer: string, wants: string, got: readonly (number | undefined)[]): PareError =>
  new PareError('LAYER_SHAPE', `the layer wants ${wants}`, {
    where: layer,
    value: `[${got.join(', ')}]`,
    remedy: 'Put a flatten, reshape or another layer before it.',
  })
