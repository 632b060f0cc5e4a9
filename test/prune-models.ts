/** Small models that can lose units, and samples for them. */

import type { Label } from '../src/data/labels.js'
import type { Samples } from '../src/data/samples.js'
import { int, ints } from '../src/ir/attrs.js'
import { type Builder, builder, modelOf } from '../src/ir/builder.js'
import { f32, i64 } from '../src/ir/tensor.js'
import type { Dim, Model } from '../src/ir/types.js'
import { weights } from './compress-models.js'
import { value } from './small-models.js'

export function modelOfX(input: readonly Dim[], build: (b: Builder) => string): Model {
  const b = builder()
  b.input('x', value('float32', input))
  b.output(build(b))
  return modelOf(b.graph())
}

const dense = (b: Builder, x: string, shape: readonly number[], seed: number, name: string): string =>
  b.op(
    'Gemm',
    [x, b.constant(weights(shape, seed), `${name}_w`), b.constant(weights([shape[1]!], seed + 9), `${name}_b`)],
    { name },
  )

const conv = (b: Builder, x: string, shape: readonly number[], seed: number, name: string): string => {
  const pad = (shape[2]! - 1) / 2
  const w = b.constant(weights(shape, seed), `${name}_w`)
  return b.op('Conv', [x, w], { name, attrs: { pads: ints([pad, pad, pad, pad]) } })
}

const norm = (b: Builder, x: string, channels: number, seed: number): string => {
  const ones = b.constant(f32([channels], new Float32Array(channels).fill(1)), 'variance')
  const [scale, shift, centre] = [0, 1, 2].map((i) => b.constant(weights([channels], seed + i), 'norm'))
  return b.op('BatchNormalization', [x, scale!, shift!, centre!, ones])
}

/** Two hidden layers of 7 and 6, three classes. */
export const MLP = modelOfX(['n', 5], (b) => {
  const h = b.op('Tanh', [dense(b, 'x', [5, 7], 1, 'first')])
  return b.op('Softmax', [dense(b, b.op('Tanh', [dense(b, h, [7, 6], 3, 'second')]), [6, 3], 5, 'last')])
})

/** Two convolutions of 6 channels, joined by a sum, with normalizations of scales 20 and 30 (seeds); three outputs. */
export const RESIDUAL = modelOfX(['n', 2, 6, 6], (b) => {
  const a = b.op('Sigmoid', [norm(b, conv(b, 'x', [6, 2, 3, 3], 1, 'a'), 6, 20)])
  const sum = b.op('Add', [a, norm(b, conv(b, a, [6, 6, 3, 3], 2, 'b'), 6, 30)])
  const pool = { kernel_shape: ints([3, 3]), strides: ints([3, 3]) }
  const pooled = b.op('Flatten', [b.op('AveragePool', [sum], { attrs: pool })])
  return dense(b, pooled, [24, 3], 3, 'last')
})

/** One cell of 5 units over 4 frames, two outputs. */
export const LSTM = modelOfX([4, 1, 3], (b) => {
  const [w, r] = [b.constant(weights([1, 20, 3], 1), 'w'), b.constant(weights([1, 20, 5], 2), 'r')]
  const [, h] = b.ops('LSTM', ['x', w, r], { name: 'cell', outputs: 3, attrs: { hidden_size: int(5) } })
  return dense(b, b.op('Squeeze', [h!, b.constant(i64([1], [0]), 'axis')]), [5, 2], 3, 'last')
})

/** Normal inputs of the model's shape, open dimensions taken as 1. */
export function samplesFor({ graph }: Model, count: number, label?: (i: number) => Label): Samples {
  const input = graph.values.get('x') as { readonly shape: readonly Dim[] }
  const shape = input.shape.map((d) => (typeof d === 'number' ? d : 1))
  return {
    name: 'drawn',
    count,
    async *read() {
      for (let i = 0; i < count; i++)
        yield { name: `${i}`, feeds: { x: weights(shape, 100 + i, 1) }, ...(label && { label: label(i) }) }
    },
  }
}
