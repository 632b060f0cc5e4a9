/** Cases of the ops that multiply, pool, normalize, recur, attend, quantize and transform; see `ops.ts` for their use. */

import { float, floatList, int, ints, str, strs } from '../../src/ir/attrs.js'
import { f32, i64, tensor } from '../../src/ir/tensor.js'
import type { Attr, Tensor } from '../../src/ir/types.js'
import type { OpCase } from './ops.js'
import { floatsOf, list, of, one, typeAttr } from './tensors.js'

type Attrs = Readonly<Record<string, Attr>>
type Inputs = readonly (Tensor | null)[]
type Rest = Omit<OpCase, 'op' | 'inputs'>

const node = (op: string, inputs: Inputs, rest: Rest = {}): OpCase => ({ op, inputs, ...rest })

/** A case of an op outside the standard domain, whose opset does not matter to it. */
const foreign =
  (domain: string) =>
  (op: string, inputs: Inputs, rest: Rest = {}): OpCase => ({ op, inputs, domain, from: 21, to: 21, ...rest })
const ms = foreign('com.microsoft')
const ml = foreign('ai.onnx.ml')

const u8 = (...shape: number[]): Tensor => whole('uint8', shape)
const i8 = (...shape: number[]): Tensor => whole('int8', shape)
const i32 = (shape: number[], values: number[]): Tensor => of('int32', shape, values)
function whole(dtype: 'uint8' | 'int8' | 'int32', shape: readonly number[]): Tensor {
  const n = shape.reduce((a, b) => a * b, 1)
  return of(
    dtype,
    shape,
    Array.from({ length: n }, (_, i) => (i * 7) % 50),
  )
}
const scale = f32([], [0.05])
const zero = of('uint8', [], [3])
const zeroS = of('int8', [], [0])
const f = floatsOf

const signal = f([2, 4, 9])
const image = f([2, 4, 8, 9])
const volume = f([1, 2, 5, 6, 7])

const SAME = ['SAME_UPPER', 'SAME_LOWER']

export const convCases: readonly OpCase[] = [
  node('Conv', [image, f([6, 4, 3, 3])]),
  node('Conv', [signal, f([6, 4, 3]), f([6])], { name: 'one axis, with bias' }),
  node('Conv', [volume, f([3, 2, 2, 3, 2])], { name: 'three axes' }),
  node('Conv', [image, f([8, 1, 3, 3])], { name: 'depthwise', attrs: { group: int(4), pads: ints([1, 1, 1, 1]) } }),
  node('Conv', [image, f([6, 2, 3, 2])], {
    name: 'groups, strides, dilations, pads',
    attrs: {
      group: int(2),
      strides: ints([2, 1]),
      dilations: ints([1, 2]),
      pads: ints([1, 0, 2, 3]),
      kernel_shape: ints([3, 2]),
    },
  }),
  ...[...SAME, 'VALID'].flatMap((auto) => [
    node('Conv', [image, f([6, 4, 3, 2])], { name: auto, attrs: { auto_pad: str(auto), strides: ints([2, 3]) } }),
    node('Conv', [image, f([6, 4, 3, 2])], { name: `${auto}, stride 1`, attrs: { auto_pad: str(auto) } }),
  ]),
  node('Conv', [image, f([6, 4, 1, 1])], {
    name: 'strides beyond the kernel',
    attrs: { auto_pad: str('SAME_UPPER'), strides: ints([3, 3]) },
  }),

  node('ConvTranspose', [image, f([4, 5, 3, 3])]),
  node('ConvTranspose', [signal, f([4, 5, 3]), f([5])], { name: 'one axis, with bias' }),
  node('ConvTranspose', [volume, f([2, 3, 2, 2, 2])], { name: 'three axes' }),
  node('ConvTranspose', [image, f([4, 3, 3, 3])], {
    name: 'groups, strides, pads, output padding',
    attrs: { group: int(2), strides: ints([2, 3]), pads: ints([1, 0, 1, 2]), output_padding: ints([1, 2]) },
  }),
  node('ConvTranspose', [image, f([4, 5, 3, 3])], { name: 'dilations', attrs: { dilations: ints([2, 1]) } }),
  node('ConvTranspose', [image, f([4, 5, 3, 3])], {
    name: 'output shape',
    attrs: { strides: ints([2, 2]), output_shape: ints([16, 18]) },
  }),
  ...[...SAME, 'VALID'].map((auto) =>
    node('ConvTranspose', [image, f([4, 5, 3, 3])], {
      name: auto,
      from: 11,
      attrs: { auto_pad: str(auto), strides: ints([2, 2]) },
    }),
  ),

  node('ConvInteger', [u8(1, 2, 5, 5), u8(3, 2, 3, 3), zero, zero], { attrs: { pads: ints([1, 1, 1, 1]) } }),
  node('ConvInteger', [u8(1, 2, 5, 5), u8(3, 2, 3, 3)], { name: 'no zero points', attrs: { strides: ints([2, 2]) } }),
  node('QLinearConv', [u8(1, 2, 5, 5), scale, zero, i8(3, 2, 3, 3), scale, zeroS, scale, zero]),
  node('QLinearConv', [u8(1, 2, 5, 5), scale, zero, u8(4, 1, 3, 3), scale, zero, scale, zero, i32([4], [1, 2, 3, 4])], {
    name: 'groups, bias',
    attrs: { group: int(2) },
  }),
  node('DeformConv', [f([1, 2, 5, 6]), f([3, 2, 2, 2]), f([1, 8, 4, 5]), f([3])], { from: 19 }),
  node('DeformConv', [f([1, 2, 5, 6]), f([4, 1, 3, 3]), f([1, 18, 5, 6]), null, f([1, 9, 5, 6])], {
    name: 'groups, mask, pads',
    from: 19,
    attrs: { group: int(2), pads: ints([1, 1, 1, 1]), kernel_shape: ints([3, 3]) },
  }),
  ms('FusedConv', [image, f([6, 4, 3, 3]), f([6])], { attrs: { activation: str('Relu'), pads: ints([1, 1, 1, 1]) } }),
  ms('FusedConv', [image, f([6, 4, 3, 3]), f([6]), f([2, 6, 6, 7])], {
    name: 'with a sum',
    attrs: { activation: str('Relu') },
  }),
]

const trans = (a: number, b: number): Attrs => ({ transA: int(a), transB: int(b) })

export const matmulCases: readonly OpCase[] = [
  node('MatMul', [f([3, 4]), f([4, 5])]),
  node('MatMul', [f([2, 1, 3, 4]), f([5, 4, 6])], { name: 'batches that broadcast' }),
  node('MatMul', [f([4]), f([2, 4, 5])], { name: 'a row' }),
  node('MatMul', [f([2, 3, 4]), f([4])], { name: 'a column' }),
  node('MatMul', [f([4]), f([4])], { name: 'two vectors' }),
  node('Gemm', [f([3, 4]), f([4, 5]), f([5])]),
  node('Gemm', [f([4, 3]), f([5, 4]), f([3, 1])], { name: 'transposed', attrs: { ...trans(1, 1), alpha: float(2) } }),
  node('Gemm', [f([4, 3]), f([4, 5])], { name: 'no bias', from: 11, attrs: trans(1, 0) }),
  ...[
    ['ij,jk->ik', [3, 4], [4, 5]],
    ['bij,bjk', [2, 3, 4], [2, 4, 5]],
    ['...ij,...jk->...ik', [2, 3, 4], [1, 4, 5]],
    ['b...d,de->be...', [2, 3, 5, 4], [4, 6]],
    ['bhqd,bhkd->bhqk', [2, 2, 3, 4], [2, 2, 5, 4]],
    ['i,i->', [4], [4]],
    ['ij,kj->jik', [3, 4], [2, 4]],
  ].map(([equation, a, b]) =>
    node('Einsum', [f(a as number[]), f(b as number[])], {
      name: String(equation),
      attrs: { equation: str(String(equation)) },
    }),
  ),
  node('Einsum', [f([3, 3])], { name: 'one operand', attrs: { equation: str('ij->ji') } }),
  node('Einsum', [f([2, 3]), f([3, 4]), f([4, 5])], {
    name: 'three operands',
    attrs: { equation: str('ij,jk,kl->il') },
  }),
  node('MatMulInteger', [u8(3, 4), i8(4, 5), zero, zeroS]),
  node('MatMulInteger', [u8(2, 3, 4), u8(4, 5)], { name: 'no zero points' }),
  node('QLinearMatMul', [u8(3, 4), scale, zero, i8(4, 5), scale, zeroS, scale, zero]),
  ms('FusedMatMul', [f([2, 4, 3]), f([2, 5, 4])], { attrs: trans(1, 1) }),
  ms('FusedMatMul', [f([4, 2, 3]), f([2, 3, 5])], { name: 'batch moved', attrs: { transBatchA: int(1) } }),
  ms('FusedMatMul', [f([4, 2, 3]), f([5, 2, 3])], {
    name: 'batch moved, transposed',
    attrs: { transBatchA: int(1), transBatchB: int(1), ...trans(0, 1) },
  }),
  ms('FusedGemm', [f([3, 4]), f([5, 4]), f([5])], { attrs: { ...trans(0, 1), activation: str('Relu') } }),
  ms('MatMulNBits', [f([2, 3, 32]), u8(8, 2, 8), f([16])], {
    attrs: { K: int(32), N: int(8), bits: int(4), block_size: int(16) },
  }),
  ms('MatMulNBits', [f([3, 32]), u8(8, 1, 32), f([8]), u8(8)], {
    name: 'eight bits, zero points',
    attrs: { K: int(32), N: int(8), bits: int(8), block_size: int(32) },
  }),
  ms('MatMulIntegerToFloat', [u8(2, 3, 4), i8(4, 5), scale, scale, zero, zeroS, f([5])]),
  ms('DynamicQuantizeMatMul', [f([2, 3, 4]), i8(4, 5), scale, zeroS, f([5])]),
  ms('QGemm', [u8(3, 4), scale, zero, i8(4, 5), scale, zeroS], { name: 'to float', attrs: { alpha: float(1) } }),
  ms('QGemm', [u8(3, 4), scale, zero, i8(5, 4), scale, zeroS, i32([5], [1, 2, 3, 4, 5]), scale, zero], {
    name: 'to integers',
    attrs: { alpha: float(1), transB: int(1) },
  }),
]

const rois = f32([3, 4], [0, 0, 4, 4, 1, 1, 5, 6, 2, 0, 6, 3])
const k = (...sizes: number[]): Attrs => ({ kernel_shape: ints(sizes) })

/** Windows that every pool takes, from the opset that knows the attribute. */
const windows = (op: string, ceilFrom: number, dilationsFrom: number): OpCase[] => [
  node(op, [image], { attrs: k(3, 2) }),
  node(op, [signal], { name: 'one axis', attrs: { ...k(3), strides: ints([2]) } }),
  node(op, [volume], { name: 'three axes', attrs: { ...k(2, 2, 3), pads: ints([0, 1, 1, 1, 0, 1]) } }),
  node(op, [image], { name: 'strides, pads', attrs: { ...k(3, 3), strides: ints([2, 2]), pads: ints([1, 0, 0, 1]) } }),
  ...[...SAME, 'VALID'].map((auto) =>
    node(op, [image], { name: auto, attrs: { ...k(3, 2), auto_pad: str(auto), strides: ints([2, 2]) } }),
  ),
  ...[2, 3, 4].flatMap((stride) =>
    [0, 1].map((pad) =>
      node(op, [f([1, 1, 7, 10])], {
        name: `rounded up, stride ${stride}, pads ${pad}`,
        from: ceilFrom,
        attrs: {
          ...k(2, 3),
          ceil_mode: int(1),
          strides: ints([stride, stride]),
          pads: ints([pad, pad, pad, pad]),
        },
      }),
    ),
  ),
  node(op, [image], { name: 'dilations', from: dilationsFrom, attrs: { ...k(3, 2), dilations: ints([2, 3]) } }),
]

export const poolCases: readonly OpCase[] = [
  ...windows('MaxPool', 10, 10),
  ...windows('AveragePool', 10, 19),
  ...windows('LpPool', 18, 18),
  node('MaxPool', [image], { name: 'indices', from: 8, attrs: k(2, 2), outputs: 2 }),
  node('AveragePool', [image], {
    name: 'padding counted',
    attrs: { ...k(3, 3), pads: ints([1, 1, 1, 1]), count_include_pad: int(1) },
  }),
  ...['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'].flatMap((op) => {
    // The engine has no GlobalLpPool of opset 22.
    const to = op === 'GlobalLpPool' ? 21 : 23
    return [node(op, [image], { to }), node(op, [volume], { name: 'three axes', to })]
  }),
  node('MaxUnpool', [f([1, 1, 2, 2]), i64([1, 1, 2, 2], [5, 7, 13, 15])], {
    attrs: { ...k(2, 2), strides: ints([2, 2]) },
  }),
  node('MaxUnpool', [f([1, 1, 2, 2]), i64([1, 1, 2, 2], [5, 7, 13, 15]), list(1, 1, 5, 5)], {
    name: 'output shape',
    attrs: { ...k(2, 2), strides: ints([2, 2]) },
  }),
  node('RoiAlign', [image, rois, i64([3], [0, 1, 1])], {
    to: 21,
    attrs: { output_height: int(2), output_width: int(3) },
  }),
  node('RoiAlign', [image, rois, i64([3], [0, 1, 1])], { name: 'defaults', to: 21 }),
  node('MaxRoiPool', [image, f32([2, 5], [0, 0, 0, 4, 4, 1, 1, 1, 5, 6])], {
    to: 21,
    attrs: { pooled_shape: ints([2, 3]) },
  }),
  node('AffineGrid', [f([2, 2, 3]), list(2, 3, 4, 5)]),
  node('AffineGrid', [f([2, 3, 4]), list(2, 3, 4, 5, 6)], { name: 'three axes' }),
  node('GridSample', [image, f([2, 3, 5, 2], -1, 1)]),
  node('GridSample', [f([2, 1, 3, 4, 5]), f([2, 2, 3, 4, 3], -1, 1)], { name: 'three axes', from: 20 }),
  node('Col2Im', [f([1, 8, 12]), list(4, 5), list(2, 2)]),
  node('Col2Im', [f([2, 12, 10]), list(5, 6), list(2, 3)], {
    name: 'strides, dilations, pads',
    attrs: { strides: ints([2, 1]), dilations: ints([1, 1]), pads: ints([0, 0, 0, 1]) },
  }),
]

const c4 = [f([4]), f([4]), f([4]), f([4], 0.5, 2)]

export const normCases: readonly OpCase[] = [
  node('BatchNormalization', [image, ...c4]),
  node('BatchNormalization', [image, ...c4], {
    name: 'training',
    from: 14,
    attrs: { training_mode: int(1) },
    outputs: 3,
    flat: [3, 4],
    differentiable: 1,
  }),
  node('InstanceNormalization', [image, f([4]), f([4])]),
  ...[-1, 1, 2].map((axis) =>
    node('LayerNormalization', [f([2, 3, 4]), f(axis === 1 ? [3, 4] : [4])], {
      name: `axis ${axis}`,
      attrs: { axis: int(axis) },
      outputs: 3,
      differentiable: 1,
    }),
  ),
  node('LayerNormalization', [f([2, 3, 4]), f([4]), f([4])], { name: 'bias' }),
  node('GroupNormalization', [image, f([4]), f([4])], { from: 21, attrs: { num_groups: int(2) }, inFloat32: true }),
  node('LRN', [image], { attrs: { size: int(3) } }),
  node('LpNormalization', [f([3, 4])], { attrs: { axis: int(0), p: int(1) } }),
  node('MeanVarianceNormalization', [image]),
  node('RMSNormalization', [f([2, 3, 4]), f([4])], { from: 23 }),
  node('SimplifiedLayerNormalization', [f([2, 3, 4]), f([4])], { from: 17, outputs: 2, differentiable: 1 }),
  ...(['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization'] as const).map(
    (op): OpCase => ({
      op,
      domain: 'com.microsoft',
      from: 21,
      to: 21,
      build: (b) => {
        const inputs = [f([2, 3, 4]), f([2, 3, 4]), f([4])].map((t) => b.constant(t, 'x'))
        return b
          .ops(op, inputs, { domain: 'com.microsoft', outputs: ['y', '', '', 'sum'] })
          .filter((name) => name !== '')
      },
    }),
  ),
  ms('EmbedLayerNormalization', [i32([2, 3], [0, 1, 2, 3, 4, 5]), null, f([10, 8]), f([6, 8]), null, f([8]), f([8])], {
    outputs: 2,
  }),
  ms(
    'EmbedLayerNormalization',
    [
      i32([2, 3], [0, 1, 2, 3, 4, 5]),
      i32([2, 3], [0, 1, 0, 1, 0, 1]),
      f([10, 8]),
      f([6, 8]),
      f([2, 8]),
      f([8]),
      f([8]),
      i32([2, 3], [1, 1, 1, 1, 1, 0]),
    ],
    { name: 'segments, mask, sum', outputs: 3 },
  ),
]

/** Sequence 5, batch 2, input 3, hidden 4. */
const recurrent = (op: string, gates: number, states: number): OpCase[] =>
  ['forward', 'reverse', 'bidirectional'].flatMap((direction) => {
    const d = direction === 'bidirectional' ? 2 : 1
    const weights = [f([5, 2, 3]), f([d, gates * 4, 3]), f([d, gates * 4, 4])]
    const attrs = { direction: str(direction), hidden_size: int(4) }
    return [
      node(op, weights, { name: direction, attrs, outputs: 1 + states }),
      node(op, [...weights, f([d, 2 * gates * 4]), i32([2], [5, 3]), ...Array(states).fill(f([d, 2, 4]))], {
        name: `${direction}, bias, lengths, states`,
        attrs,
        outputs: 1 + states,
      }),
      {
        op,
        name: `${direction}, last state alone`,
        build: (b) => {
          const inputs = weights.map((t) => b.constant(t, 'x'))
          return b.ops(op, inputs, { attrs, outputs: ['', 'h'] }).filter((name) => name !== '')
        },
      },
    ]
  })

export const rnnCases: readonly OpCase[] = [
  ...recurrent('LSTM', 4, 2),
  ...recurrent('GRU', 3, 1),
  ...recurrent('RNN', 1, 1),
  ...[1, 2].map((d) =>
    ms(
      'DynamicQuantizeLSTM',
      [
        f([5, 2, 3]),
        i8(d, 3, 16),
        i8(d, 4, 16),
        f([d, 32]),
        null,
        null,
        null,
        null,
        f([d], 0.01, 0.02),
        of('int8', [d], Array(d).fill(0)),
        f([d], 0.01, 0.02),
        of('int8', [d], Array(d).fill(0)),
      ],
      {
        name: `${d} directions`,
        attrs: { hidden_size: int(4), direction: str(d === 2 ? 'bidirectional' : 'forward') },
        outputs: 3,
      },
    ),
  ),
]

const heads = (n: number): Attrs => ({ num_heads: int(n) })
const qkv = (q: number, kv: number): Attrs => ({ q_num_heads: int(q), kv_num_heads: int(kv) })

export const attentionCases: readonly OpCase[] = [
  node('Attention', [f([2, 3, 8]), f([2, 5, 8]), f([2, 5, 12])], { name: 'joined heads', attrs: qkv(2, 2) }),
  node('Attention', [f([2, 4, 3, 8]), f([2, 2, 5, 8]), f([2, 2, 5, 6])], { name: 'split heads, grouped' }),
  node('Attention', [f([2, 2, 3, 8]), f([2, 2, 5, 8]), f([2, 2, 5, 6]), null, f([2, 2, 4, 8]), f([2, 2, 4, 6])], {
    name: 'past',
    outputs: 3,
  }),
  node('Attention', [f([2, 3, 8]), f([2, 5, 8]), f([2, 5, 8])], { name: 'scores', attrs: qkv(2, 2), outputs: 4 }),
  node('RotaryEmbedding', [f([2, 2, 3, 8]), f([2, 3, 4]), f([2, 3, 4])]),
  ms('Attention', [f([2, 3, 8]), f([8, 24]), f([24])], { attrs: heads(2), outputs: 1 }),
  ms('Attention', [f([2, 3, 8]), f([8, 24]), f([24]), null, f([2, 2, 2, 5, 4])], {
    name: 'past',
    attrs: { ...heads(2), unidirectional: int(1) },
    outputs: 2,
  }),
  ms('Attention', [f([2, 3, 8]), f([8, 20]), f([20])], {
    name: 'sizes apart',
    attrs: { ...heads(2), qkv_hidden_sizes: ints([8, 8, 4]) },
  }),
  ms('MultiHeadAttention', [f([2, 3, 8]), f([2, 5, 8]), f([2, 5, 12])], { attrs: heads(2) }),
  ms(
    'MultiHeadAttention',
    [f([2, 3, 8]), f([2, 3, 8]), f([2, 3, 8]), null, null, null, f([2, 2, 4, 4]), f([2, 2, 4, 4])],
    {
      name: 'past',
      attrs: heads(2),
      outputs: 3,
    },
  ),
  ms('MultiHeadAttention', [f([2, 3, 8]), f([2, 2, 5, 4]), f([2, 2, 5, 4])], { name: 'split keys', attrs: heads(2) }),
  ...[0, 3].map((past) =>
    ms(
      'GroupQueryAttention',
      [
        f([1, past === 0 ? 2 : 1, 64]),
        f([1, past === 0 ? 2 : 1, 32]),
        f([1, past === 0 ? 2 : 1, 32]),
        past === 0 ? null : f([1, 2, past, 16]),
        past === 0 ? null : f([1, 2, past, 16]),
        i32([1], [past === 0 ? 1 : past]),
        i32([1], [past === 0 ? 2 : past + 1]),
      ],
      { name: `past ${past}`, attrs: { num_heads: int(4), kv_num_heads: int(2) }, outputs: 3 },
    ),
  ),
  ms('GroupQueryAttention', [f([1, 2, 128]), null, null, null, null, i32([1], [1]), i32([1], [2])], {
    name: 'packed',
    attrs: { num_heads: int(4), kv_num_heads: int(2) },
    outputs: 3,
  }),
  ms('BiasGelu', [f([2, 3, 4]), f([4])]),
  ms('FastGelu', [f([2, 3, 4]), f([4])]),
  ms('Gelu', [f([2, 3, 4])]),
  ms('QuickGelu', [f([2, 3, 4])]),
  ms('RotaryEmbedding', [f([2, 3, 16]), i64([2, 3], [0, 1, 2, 0, 1, 2]), f([6, 4]), f([6, 4])], { attrs: heads(2) }),
  ms('RotaryEmbedding', [f([2, 2, 3, 8]), one(0), f([6, 4]), f([6, 4])], { name: 'split heads' }),
]

const half = tensor('float16', [], Uint16Array.of(0x3c00))
const axis0: Attrs = { axis: int(0) }
const pair = f32([2], [0.1, 0.2])

export const quantizationCases: readonly OpCase[] = [
  node('QuantizeLinear', [f([2, 3]), scale, zero]),
  node('QuantizeLinear', [f([2, 3]), scale], { name: 'no zero point' }),
  node('QuantizeLinear', [f([2, 3]), pair, of('int8', [2], [0, 1])], { name: 'an axis', from: 13, attrs: axis0 }),
  node('QuantizeLinear', [f([2, 3]), scale], {
    name: 'type named',
    from: 21,
    attrs: { output_dtype: typeAttr('int16') },
  }),
  node('QuantizeLinear', [f([2, 6]), f([2, 3], 0.1, 0.2), i8(2, 3)], {
    name: 'blocks',
    from: 21,
    attrs: { axis: int(1), block_size: int(2) },
  }),
  node('DequantizeLinear', [u8(2, 3), scale, zero]),
  node('DequantizeLinear', [i32([2], [5, 6]), scale], { name: 'of int32' }),
  node('DequantizeLinear', [i8(2, 3), pair, of('int8', [2], [0, 1])], { name: 'an axis', from: 13, attrs: axis0 }),
  node('DequantizeLinear', [i8(2, 3), half], { name: 'to float16', from: 19 }),
  node('DequantizeLinear', [i8(2, 6), f([2, 3], 0.1, 0.2), i8(2, 3)], {
    name: 'blocks',
    from: 21,
    attrs: { axis: int(1), block_size: int(2) },
  }),
  node('DynamicQuantizeLinear', [f([2, 3])], { outputs: 3 }),
  ms('QuantizeLinear', [f([2, 3]), scale, of('uint16', [], [7])]),
  ms('QuantizeLinear', [f([2, 3]), pair, of('int8', [2], [0, 1])], { name: 'an axis', attrs: axis0 }),
  ms('DequantizeLinear', [of('int16', [2, 3], [1, 2, 3, 4, 5, 6]), scale, of('int16', [], [0])]),
  ...['QLinearAdd', 'QLinearMul'].map((op) => ms(op, [u8(2, 3, 4), scale, zero, u8(3, 1), scale, zero, scale, zero])),
  ms('QLinearConcat', [scale, zero, u8(2, 3), scale, zero, u8(2, 5), scale, zero], { attrs: { axis: int(1) } }),
  ms('QLinearSigmoid', [u8(2, 3), scale, zero, scale, zero]),
  ms('QLinearLeakyRelu', [i8(2, 3), scale, zeroS, scale, zeroS], { attrs: { alpha: float(0.1) } }),
  ms('QLinearSoftmax', [u8(2, 3), scale, zero, scale, zero], { attrs: { axis: int(-1), opset: int(13) } }),
  ...[0, 1].flatMap((last) => [
    ms('QLinearGlobalAveragePool', [u8(2, 3, 4, 5), scale, zero, scale, zero], {
      name: last ? 'channels last' : 'channels first',
      attrs: { channels_last: int(last) },
    }),
    ms('QLinearAveragePool', [u8(2, 3, 4, 5), scale, zero, scale, zero], {
      name: last ? 'channels last' : 'channels first',
      attrs: { ...k(2, 3), channels_last: int(last), pads: ints([1, 0, 0, 1]), strides: ints([2, 1]) },
    }),
  ]),
]

export const signalCases: readonly OpCase[] = [
  ...[0, 1].flatMap((onesided) => [
    node('DFT', [f([2, 8, 3, 1])], {
      name: `attribute, onesided ${onesided}`,
      to: 19,
      attrs: { axis: int(1), onesided: int(onesided) },
    }),
    node('DFT', [f([2, 8, 1]), null, one(1)], {
      name: `input, onesided ${onesided}`,
      from: 20,
      attrs: { onesided: int(onesided) },
    }),
  ]),
  node('DFT', [f([2, 8, 1]), one(6)], { name: 'cut', attrs: { onesided: int(1) } }),
  node('DFT', [f([2, 7, 2])], { name: 'inverse', attrs: { inverse: int(1) } }),
  node('STFT', [f([2, 32, 1]), one(4), f([8])]),
  node('STFT', [f([2, 32, 1]), one(3), null, one(10)], { name: 'frame length', attrs: { onesided: int(0) } }),
  ...['HannWindow', 'HammingWindow', 'BlackmanWindow'].flatMap((op) => [
    node(op, [one(8)]),
    node(op, [one(8)], { name: 'double', attrs: { output_datatype: typeAttr('float64'), periodic: int(0) } }),
  ]),
  node('MelWeightMatrix', [one(8), one(16), one(8000), f32([], [100]), f32([], [3500])]),
]

const weights3 = floatList([0.1, 0.2, 0.3])
const tree: Attrs = {
  nodes_treeids: ints([0, 0, 0]),
  nodes_nodeids: ints([0, 1, 2]),
  nodes_featureids: ints([0, 0, 0]),
  nodes_values: floatList([0.5, 0, 0]),
  nodes_modes: strs(['BRANCH_LEQ', 'LEAF', 'LEAF']),
  nodes_truenodeids: ints([1, 0, 0]),
  nodes_falsenodeids: ints([2, 0, 0]),
}
const svm: Attrs = {
  kernel_type: str('LINEAR'),
  kernel_params: floatList([0.1, 0, 3]),
  coefficients: floatList([0.5, -0.5]),
  support_vectors: floatList([1, 2, 3, 3, 2, 1]),
  rho: floatList([0.1]),
}

export const mlCases: readonly OpCase[] = [
  ml('LinearRegressor', [f([4, 3])], {
    attrs: { coefficients: weights3, intercepts: floatList([0]), targets: int(1) },
  }),
  ml('LinearRegressor', [f([3])], { name: 'a row', attrs: { coefficients: weights3, targets: int(1) } }),
  ml('LinearClassifier', [f([4, 3])], {
    attrs: {
      coefficients: floatList([1, 2, 3, 4, 5, 6]),
      intercepts: floatList([0, 1]),
      classlabels_ints: ints([3, 5]),
    },
    outputs: 2,
  }),
  ml('LinearClassifier', [f([4, 3])], {
    name: 'one score for two classes',
    attrs: {
      coefficients: weights3,
      intercepts: floatList([0]),
      classlabels_ints: ints([0, 1]),
      post_transform: str('LOGISTIC'),
    },
    outputs: 2,
  }),
  ml('SVMRegressor', [f([4, 3])], { attrs: { ...svm, n_supports: int(2) } }),
  ml('SVMClassifier', [f([4, 3])], {
    attrs: {
      ...svm,
      classlabels_ints: ints([0, 1]),
      vectors_per_class: ints([1, 1]),
      prob_a: floatList([0.5]),
      prob_b: floatList([0.1]),
    },
    outputs: 2,
  }),
  ...[1, 2].map((targets) =>
    ml('TreeEnsembleRegressor', [f([4, 3])], {
      name: `${targets} targets`,
      attrs: {
        ...tree,
        n_targets: int(targets),
        target_treeids: ints([0, 0]),
        target_nodeids: ints([1, 2]),
        target_ids: ints([0, targets - 1]),
        target_weights: floatList([1, 2]),
      },
    }),
  ),
  ml('TreeEnsembleClassifier', [f([4, 3])], {
    attrs: {
      ...tree,
      classlabels_int64s: ints([0, 1, 2]),
      class_treeids: ints([0, 0]),
      class_nodeids: ints([1, 2]),
      class_ids: ints([0, 2]),
      class_weights: floatList([1, 2]),
    },
    outputs: 2,
  }),
  ml('Scaler', [f([4, 3])], { attrs: { offset: weights3, scale: weights3 } }),
  ml('Scaler', [i64([2, 3], [1, 2, 3, 4, 5, 6])], {
    name: 'whole numbers',
    attrs: { offset: weights3, scale: weights3 },
  }),
  ml('Normalizer', [f([4, 3])], { attrs: { norm: str('L2') } }),
  ml('Binarizer', [f([4, 3])], { attrs: { threshold: float(0) } }),
  ml('Imputer', [f([4, 3])], { attrs: { imputed_value_floats: weights3, replaced_value_float: float(0) } }),
  ml('ArrayFeatureExtractor', [f([4, 3]), list(2, 0)]),
  ml('ArrayFeatureExtractor', [f([3]), list(1)], { name: 'of a vector' }),
  ml('OneHotEncoder', [i64([2, 2], [1, 2, 3, 1])], { attrs: { cats_int64s: ints([1, 2, 3]) } }),
  ml('LabelEncoder', [i64([3], [1, 2, 9])], {
    version: 2,
    attrs: { keys_int64s: ints([1, 2]), values_floats: floatList([0.5, 1.5]) },
  }),
]
