/** Random networks for properties of pruning: convolutions of all kinds, joined and split in all ways, on [1, C, 4, 4]. */

import fc from 'fast-check'
import { int, ints } from '../src/ir/attrs.js'
import { type Builder, builder, modelOf } from '../src/ir/builder.js'
import { f32, i64 } from '../src/ir/tensor.js'
import type { Model } from '../src/ir/types.js'
import { random } from '../src/util/random.js'

/** A value and its channels. */
interface Feature {
  readonly name: string
  readonly channels: number
}

/** What a step works with: `pick` and `other` choose among the features so far, `size` is any number from 0 on. */
interface Step {
  readonly kind: keyof typeof STEPS
  readonly pick: number
  readonly other: number
  readonly size: number
}

interface Hand {
  readonly b: Builder
  readonly weights: (...shape: number[]) => string
  readonly one: Feature
  readonly other: Feature
  readonly size: number
}

/** The largest of a few numbers of groups that divides both. */
const groupsOf = (a: number, b: number): number => [3, 2, 1].find((g) => a % g === 0 && b % g === 0)!

function conv(h: Hand, x: Feature, channels: number, group = 1, kernel = 1): Feature {
  const pad = (kernel - 1) / 2
  const w = h.weights(channels, x.channels / group, kernel, kernel)
  const attrs = { group: int(group), pads: ints([pad, pad, pad, pad]) }
  return { name: h.b.op('Conv', [x.name, w, h.weights(channels)], { attrs }), channels }
}

const map = (h: Hand, op: string, x = h.one): Feature => ({ ...x, name: h.b.op(op, [x.name]) })

const reshape = (h: Hand, x: string, shape: readonly number[]): string =>
  h.b.op('Reshape', [x, h.b.constant(i64([shape.length], shape), 'shape')])

const transpose = (h: Hand, x: string, perm: readonly number[]): string =>
  h.b.op('Transpose', [x], { attrs: { perm: ints(perm) } })

const STEPS = {
  conv: (h: Hand) => [conv(h, h.one, 2 + (h.size % 7), 1, 3)],
  grouped: (h: Hand) => {
    const channels = 2 * (1 + (h.size % 4))
    return [conv(h, h.one, channels, groupsOf(h.one.channels, channels))]
  },
  depthwise: (h: Hand) => [conv(h, h.one, h.one.channels * (1 + (h.size % 2)), h.one.channels, 3)],
  transposed: (h: Hand) => {
    const group = groupsOf(h.one.channels, h.one.channels)
    const w = h.weights(h.one.channels, 2 + (h.size % 3), 1, 1)
    const name = h.b.op('ConvTranspose', [h.one.name, w], { attrs: { group: int(group) } })
    return [{ name, channels: group * (2 + (h.size % 3)) }]
  },
  relu: (h: Hand) => [map(h, 'Relu')],
  sigmoid: (h: Hand) => [map(h, 'Sigmoid')],
  batchNorm: (h: Hand) => {
    const c = h.one.channels
    const positive = h.b.constant(f32([c], new Float32Array(c).fill(0.7)), 'variance')
    const inputs = [h.one.name, h.weights(c), h.weights(c), h.weights(c), positive]
    return [{ name: h.b.op('BatchNormalization', inputs), channels: c }]
  },
  instanceNorm: (h: Hand) => [
    {
      ...h.one,
      name: h.b.op('InstanceNormalization', [h.one.name, h.weights(h.one.channels), h.weights(h.one.channels)]),
    },
  ],
  softmax: (h: Hand) => [{ ...h.one, name: h.b.op('Softmax', [h.one.name], { attrs: { axis: int(1) } }) }],
  pool: (h: Hand) => {
    const attrs = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) }
    return [{ ...h.one, name: h.b.op(h.size % 2 === 0 ? 'MaxPool' : 'AveragePool', [h.one.name], { attrs }) }]
  },
  residual: (h: Hand) => {
    const other = h.other.channels === h.one.channels ? h.other : conv(h, h.other, h.one.channels)
    return [{ ...h.one, name: h.b.op('Add', [h.one.name, other.name]) }]
  },
  gate: (h: Hand) => {
    const mean = { ...h.one, name: h.b.op('GlobalAveragePool', [h.one.name]) }
    const gate = map(h, 'HardSigmoid', conv(h, conv(h, mean, 2 + (h.size % 3)), h.one.channels))
    return [{ ...h.one, name: h.b.op('Mul', [h.one.name, gate.name]) }]
  },
  concat: (h: Hand) => [
    {
      name: h.b.op('Concat', [h.one.name, h.other.name], { attrs: { axis: int(1) } }),
      channels: h.one.channels + h.other.channels,
    },
  ],
  split: (h: Hand) => {
    const c = h.one.channels
    if (c < 2) return []
    const first = 1 + (h.size % (c - 1))
    const sizes = h.b.constant(i64([2], [first, c - first]), 'sizes')
    const [a, z] = h.b.ops('Split', [h.one.name, sizes], { outputs: 2, attrs: { axis: int(1) } })
    return [
      { name: a!, channels: first },
      { name: z!, channels: c - first },
    ]
  },
  slice: (h: Hand) => {
    const start = h.size % h.one.channels
    const bounds = [start, h.one.channels, 1].map((k) => h.b.constant(i64([1], [k]), 'bound'))
    return [{ name: h.b.op('Slice', [h.one.name, ...bounds]), channels: h.one.channels - start }]
  },
  shuffle: (h: Hand) => {
    const c = h.one.channels
    const g = groupsOf(c, c)
    const split = transpose(h, reshape(h, h.one.name, [1, g, c / g, 4, 4]), [0, 2, 1, 3, 4])
    return [{ name: reshape(h, split, [1, -1, 4, 4]), channels: c }]
  },
  channelsLast: (h: Hand) => {
    const c = 2 + (h.size % 5)
    const rows = reshape(h, transpose(h, h.one.name, [0, 2, 3, 1]), [16, h.one.channels])
    const made = h.b.op('Gemm', [rows, h.weights(h.one.channels, c), h.weights(c)])
    return [{ name: transpose(h, reshape(h, made, [1, 4, 4, c]), [0, 3, 1, 2]), channels: c }]
  },
  /** Takes the batch away by its size alone: channels that are cut to one must not go with it. */
  squeezed: (h: Hand) => {
    if (h.one.channels === 1) return []
    const axis = h.b.constant(i64([1], [0]), 'axis')
    return [{ ...h.one, name: h.b.op('Unsqueeze', [h.b.op('Squeeze', [h.one.name]), axis]) }]
  },
  spaceToDepth: (h: Hand) => {
    const deep = h.b.op('SpaceToDepth', [h.one.name], { attrs: { blocksize: int(2) } })
    const mixed = conv(h, { name: deep, channels: 4 * h.one.channels }, 4 * h.one.channels)
    const attrs = {
      blocksize: int(2),
      mode: { type: 'string', value: Buffer.from(h.size % 2 === 0 ? 'DCR' : 'CRD') },
    } as const
    return [{ name: h.b.op('DepthToSpace', [mixed.name], { attrs }), channels: h.one.channels }]
  },
} satisfies Record<string, (h: Hand) => readonly Feature[]>

function networkOf(steps: readonly Step[], seed: number): Model {
  const r = random(seed)
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [1, 3, 4, 4] })
  const weights = (...shape: number[]): string => {
    const count = shape.reduce((n, d) => n * d, 1)
    return b.constant(
      f32(
        shape,
        Float32Array.from({ length: count }, () => r.normal(0, 0.5)),
      ),
      'w',
    )
  }
  const features: Feature[] = [{ name: 'x', channels: 3 }]
  const at = (i: number): Feature => features[features.length - 1 - (i % Math.min(4, features.length))]!
  for (const { kind, pick, other, size } of steps) {
    features.push(...STEPS[kind]({ b, weights, one: at(pick), other: at(other), size }))
  }
  for (const { name, channels } of features.slice(-2)) {
    const flat = b.op('Flatten', [name])
    b.output(b.op('MatMul', [flat, weights(channels * 16, 2)]))
  }
  return modelOf(b.graph())
}

const step = fc.record({
  kind: fc.constantFrom(...(Object.keys(STEPS) as (keyof typeof STEPS)[])),
  pick: fc.nat({ max: 3 }),
  other: fc.nat({ max: 3 }),
  size: fc.nat({ max: 20 }),
})

/** Networks that begin with a convolution. Weights are normal. */
export const network: fc.Arbitrary<Model> = fc
  .tuple(fc.array(step, { minLength: 2, maxLength: 10 }), fc.nat({ max: 1000 }))
  .map(([steps, seed]) => networkOf([{ kind: 'conv', pick: 0, other: 0, size: 5 }, ...steps], seed))
