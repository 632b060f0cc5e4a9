/** Cases of the ops that compute element by element, reduce, move and generate; see `ops.ts` for how they are used. */

import { float, floatList, int, ints, str, strs, tensorAttr } from '../../src/ir/attrs.js'
import type { Builder } from '../../src/ir/builder.js'
import { f32 } from '../../src/ir/tensor.js'
import type { Attr, Tensor } from '../../src/ir/types.js'
import type { OpCase } from './ops.js'
import { floatsOf, intsOf, list, of, one, typeAttr } from './tensors.js'

const x = floatsOf([2, 3, 4])
const row = floatsOf([4])
const column = floatsOf([3, 1], -2, 2, 5)
const positive = floatsOf([2, 3], 1, 2)
const unit = floatsOf([2, 3], -0.9, 0.9)
const image = floatsOf([1, 4, 6, 8])
const flags = of('bool', [2, 2], [1, 0, 1, 1])

const node = (op: string, inputs: readonly (Tensor | null)[], rest: Omit<OpCase, 'op' | 'inputs'> = {}): OpCase => ({
  op,
  inputs,
  ...rest,
})

/** Two broadcasting floats, and content of whole numbers of each sign. */
const fourFold = (op: string): OpCase[] => [
  node(op, [x, column], { name: 'broadcast' }),
  node(op, [one(3), intsOf([2, 2], 1, 5)], { name: 'int64' }),
  node(op, [list(7, -7, 0, 12), list(2, 2, 5, -5)], { name: 'content', content: true }),
  node(op, [list(7, 3, 5), one(2)], { name: 'scalar content', content: true }),
]

export const arithmeticCases: readonly OpCase[] = [
  ...['Add', 'Sub', 'Mul', 'Div'].flatMap(fourFold),
  node('Pow', [positive, one(2)], { from: 12 }),
  node('Pow', [positive, floatsOf([3])], { name: 'float exponent' }),
  node('Pow', [list(2, 3), list(10, 2)], { name: 'content', from: 12, content: true }),
  node('Mod', [list(7, -7, 7, -7), list(3, 3, -3, -3)], { content: true }),
  node('Mod', [list(7, -7, 7, -7), list(3, 3, -3, -3)], { name: 'fmod', attrs: { fmod: int(1) }, content: true }),
  node('Mod', [x, row], { name: 'float', attrs: { fmod: int(1) } }),
  ...['Max', 'Min'].flatMap((op) => [
    node(op, [x, row, column], { name: 'broadcast', from: 8 }),
    node(op, [list(3, -1, 0), list(2, 5, 0)], { name: 'content', from: 12, content: true }),
    node(op, [x], { name: 'one input' }),
  ]),
  ...['Mean', 'Sum'].flatMap((op) => [node(op, [x, row, column], { from: 8 }), node(op, [x], { name: 'one input' })]),
  ...['LEFT', 'RIGHT'].map((direction) =>
    node('BitShift', [of('uint8', [3], [16, 4, 1]), of('uint8', [3], [1, 2, 3])], {
      name: direction,
      attrs: { direction: str(direction) },
      content: true,
    }),
  ),
  ...['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'].map((op) => node(op, [list(12, -6, 7), list(10)], { content: true })),
  node('BitwiseNot', [list(12, -6, 7)]),
]

const order = ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual']

export const logicCases: readonly OpCase[] = [
  ...order.flatMap((op) => [
    node(op, [intsOf([2, 3]), intsOf([3])], { name: 'integers', from: 9 }),
    node(op, [x, column], { name: 'floats', from: op === 'Equal' ? 11 : 7 }),
    node(op, [list(1, 2, 3), list(2, 2, 2)], { name: 'content', from: 9, content: true }),
  ]),
  ...['And', 'Or', 'Xor'].flatMap((op) => [
    node(op, [flags, of('bool', [2], [0, 1])]),
    node(op, [of('bool', [4], [0, 0, 1, 1]), of('bool', [4], [0, 1, 0, 1])], { name: 'content', content: true }),
  ]),
  node('Not', [of('bool', [2], [0, 1])], { content: true }),
  node('Where', [of('bool', [3, 1], [1, 0, 1]), x, row]),
  node('Where', [of('bool', [3], [1, 0, 1]), list(1, 2, 3), list(9)], { name: 'content', content: true }),
  node('IsNaN', [x]),
  node('IsInf', [x]),
]

const halves = f32([6], [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])

export const unaryCases: readonly OpCase[] = [
  ...['Exp', 'Erf', 'Sin', 'Cos', 'Tan', 'Atan', 'Sinh', 'Cosh', 'Asinh'].map((op) => node(op, [x])),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op) => node(op, [positive])),
  ...['Asin', 'Acos', 'Atanh'].map((op) => node(op, [unit])),
  node('Acosh', [positive]),
  ...['Abs', 'Neg', 'Floor', 'Ceil', 'Round', 'Sign'].map((op) => node(op, [halves], { content: true })),
  ...['Abs', 'Neg', 'Sign'].map((op) => node(op, [list(-3, 0, 4)], { name: 'integers', content: true })),
  node('Sqrt', [f32([2], [4, 2])], { name: 'content', content: true }),
  node('Det', [floatsOf([5, 3, 3])]),
  node('Det', [floatsOf([3, 3])], { name: 'one matrix' }),
]

export const activationCases: readonly OpCase[] = [
  ...['Relu', 'LeakyRelu', 'Elu', 'Selu', 'Celu', 'Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Softplus'],
  ...['Softsign', 'Gelu', 'Mish', 'ThresholdedRelu', 'Shrink', 'Softmax', 'LogSoftmax', 'Hardmax'],
]
  .map((op) => node(op, [x]))
  .concat([
    node('Relu', [of('int8', [2], [-1, 2])], { name: 'content', from: 14, content: true }),
    node('PRelu', [x, column]),
    node('Clip', [x], { name: 'attributes', to: 10, attrs: { min: float(-1), max: float(1) } }),
    node('Clip', [x, f32([], [-1]), f32([], [1])], { name: 'inputs', from: 11, flat: [1, 2] }),
    node('Clip', [list(-4, 2, 9), one(0), one(5)], { name: 'content', from: 12, content: true }),
    node('Clip', [list(-4, 2, 9), null, one(5)], { name: 'one bound', from: 12, content: true }),
    node('Softmax', [x], { name: 'axis', attrs: { axis: int(0) } }),
  ])

const reductions = 'Sum Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare'.split(' ').map((name) => `Reduce${name}`)

/** Axes are an attribute before this opset. */
const axesInput = (op: string): number => (op === 'ReduceSum' ? 13 : 18)

export const reductionCases: readonly OpCase[] = [
  ...reductions.flatMap((op) => [
    node(op, [x], { name: 'all' }),
    node(op, [x], { name: 'all, dropped', attrs: { keepdims: int(0) } }),
    node(op, [x], { name: 'attribute', to: axesInput(op) - 1, attrs: { axes: ints([1, 2]), keepdims: int(0) } }),
    node(op, [x], { name: 'attribute, kept', to: axesInput(op) - 1, attrs: { axes: ints([1]) } }),
    node(op, [x], { name: 'attribute, from the end', from: 11, to: axesInput(op) - 1, attrs: { axes: ints([-1]) } }),
    node(op, [x, list(-1)], { name: 'input', from: axesInput(op), attrs: { keepdims: int(0) } }),
    node(op, [x, list(0, 2)], { name: 'input, kept', from: axesInput(op) }),
    node(op, [x, list()], { name: 'no axes', from: axesInput(op), attrs: { noop_with_empty_axes: int(0) } }),
    node(op, [x, list()], {
      name: 'no axes, nothing done',
      from: axesInput(op),
      attrs: { noop_with_empty_axes: int(1) },
    }),
  ]),
  ...['ReduceSum', 'ReduceProd', 'ReduceMax', 'ReduceMin'].map((op) =>
    node(op, [list(2, 3, 4)], { name: 'content', from: 12, attrs: { keepdims: int(0) }, content: true }),
  ),
  ...['ArgMax', 'ArgMin'].flatMap((op) => [
    node(op, [x]),
    node(op, [x], { name: 'dropped', from: 11, attrs: { axis: int(-2), keepdims: int(0) } }),
  ]),
  node('CumSum', [x, one(1)]),
  node('TopK', [x], { name: 'attribute', to: 9, attrs: { k: int(2) }, outputs: 2 }),
  node('TopK', [x, list(2)], { name: 'input', from: 10, attrs: { axis: int(1) }, outputs: 2 }),
  node('NonZero', [x], { dataDependent: true }),
  node('NonZero', [f32([], [1])], { name: 'scalar', dataDependent: true }),
  node('Unique', [list(3, 1, 3)], { outputs: 4, dataDependent: true }),
  node('Unique', [floatsOf([2, 3])], { name: 'axis', attrs: { axis: int(1) }, outputs: 4, dataDependent: true }),
]

const reshapeTo = (shape: Tensor, name: string, rest: Omit<OpCase, 'op'> = {}): OpCase =>
  node('Reshape', [x, shape], { name, ...rest })

export const reshapeCases: readonly OpCase[] = [
  reshapeTo(list(4, 6), 'plain'),
  reshapeTo(list(0, -1), 'copy and rest'),
  node('Reshape', [floatsOf([8, 3]), list(4, 6)], { name: 'rows that are joined' }),
  node('Reshape', [floatsOf([2, 3, 4]), list(4, 3, 2)], { name: 'axes that are taken apart and joined' }),
  reshapeTo(list(-1), 'flat'),
  reshapeTo(list(1, 0, -1, 2), 'mixed'),
  node('Reshape', [floatsOf([0, 3]), list(3, 0)], { name: 'allowzero', from: 14, attrs: { allowzero: int(1) } }),
  node('Reshape', [f32([1], [2]), list()], { name: 'to a scalar', content: true }),
  node('Reshape', [list(1, 2, 3, 4), list(2, -1)], { name: 'content', content: true }),
  node('Flatten', [x]),
  node('Flatten', [x], { name: 'axis 0', attrs: { axis: int(0) } }),
  node('Flatten', [x], { name: 'from the end', from: 11, attrs: { axis: int(-1) } }),
  node('Flatten', [x], { name: 'all', attrs: { axis: int(3) } }),
  node('Squeeze', [floatsOf([1, 3, 1])], { name: 'all' }),
  node('Squeeze', [floatsOf([1, 3, 1])], { name: 'attribute', to: 12, attrs: { axes: ints([2]) } }),
  node('Squeeze', [floatsOf([1, 3, 1]), list(-1)], { name: 'input', from: 13 }),
  node('Squeeze', [list(5), list(0)], { name: 'content', from: 13, content: true }),
  node('Unsqueeze', [x], { name: 'attribute', to: 12, attrs: { axes: ints([0, 4]) } }),
  node('Unsqueeze', [x, list(0, -1)], { name: 'input', from: 13 }),
  node('Unsqueeze', [one(7), list(0)], { name: 'content', from: 13, content: true }),
  node('Identity', [x]),
  node('Identity', [list(1, 2)], { name: 'content', content: true }),
  node('Dropout', [x], { outputs: 1 }),
  node('Dropout', [x], { name: 'mask', from: 10, outputs: 2 }),
  node('Cast', [f32([3], [-1.5, 2.5, 0])], { attrs: { to: typeAttr('int64') }, content: true }),
  node('Cast', [list(-1, 0, 300)], { name: 'float', attrs: { to: typeAttr('float32') }, content: true }),
  node('Cast', [list(-1, 0, 300)], { name: 'bool', attrs: { to: typeAttr('bool') }, content: true }),
  node('Cast', [list(-1, 0, 300)], { name: 'int32', attrs: { to: typeAttr('int32') }, content: true }),
  node('Cast', [x], { name: 'half', attrs: { to: typeAttr('float16') } }),
  node('Cast', [x], { name: 'double', attrs: { to: typeAttr('float64') } }),
  node('CastLike', [f32([2], [1, 2]), one(1)], { content: true }),
]

const most = 2 ** 31 - 1

export const selectionCases: readonly OpCase[] = [
  node('Slice', [x], { name: 'attributes', to: 9, attrs: { starts: ints([0, 1]), ends: ints([1, most]) } }),
  node('Slice', [x], {
    name: 'attributes and axes',
    to: 9,
    attrs: { starts: ints([-3]), ends: ints([-1]), axes: ints([2]) },
  }),
  node('Slice', [x, list(0, 1), list(1, most)], { name: 'inputs', from: 10 }),
  node('Slice', [x, list(-1), list(-most), list(-1), list(-2)], { name: 'backwards', from: 10 }),
  node('Slice', [x, list(-100, 3), list(100, 1), list(0, 2)], { name: 'clamped and empty', from: 10 }),
  node('Slice', [list(1, 2, 3, 4, 5), list(-2), list(-100), list(0), list(-2)], {
    name: 'content',
    from: 10,
    content: true,
  }),
  node('Slice', [intsOf([2, 3]), list(1), list(-most), list(0), list(-1)], {
    name: '2-D content',
    from: 10,
    content: true,
  }),
  node('Gather', [x, one(1)], { name: 'scalar' }),
  node('Gather', [x, intsOf([2, 2], 0, 3)], { name: 'matrix', attrs: { axis: int(1) } }),
  node('Gather', [x, list(-1)], { name: 'from the end', from: 11, attrs: { axis: int(-1) } }),
  node('Gather', [list(5, 6, 7), one(-1)], { name: 'content', from: 11, content: true }),
  node('Gather', [list(5, 6, 7), list(2, 0)], { name: 'list content', content: true }),
  node('GatherElements', [x, intsOf([1, 3, 2], 0, 2)]),
  node('GatherND', [x, intsOf([5, 2], 0, 2)]),
  node('GatherND', [x, intsOf([2, 1], 0, 3)], { name: 'batched', from: 12, attrs: { batch_dims: int(1) } }),
  node('Scatter', [x, intsOf([1, 3, 4], 0, 2), floatsOf([1, 3, 4])], { to: 10 }),
  node('ScatterElements', [x, intsOf([1, 3, 4], 0, 2), floatsOf([1, 3, 4])]),
  node('ScatterND', [x, intsOf([1, 1], 1, 2), floatsOf([1, 3, 4])]),
  node('ReverseSequence', [floatsOf([3, 2]), list(1, 3)]),
  node('Compress', [x, of('bool', [3], [1, 0, 1])], { name: 'axis', attrs: { axis: int(1) } }),
  node('Compress', [x, of('bool', [3], [1, 0, 1])], { name: 'flat' }),
  node('Trilu', [x]),
]

export const layoutCases: readonly OpCase[] = [
  node('Transpose', [x]),
  node('Transpose', [x], { name: 'perm', attrs: { perm: ints([1, 2, 0]) } }),
  node('Transpose', [intsOf([2, 3])], { name: 'content', content: true }),
  node('Expand', [column, list(2, 1, 4)]),
  node('Expand', [one(3), list(3)], { name: 'content', content: true }),
  node('Expand', [intsOf([2, 1]), list(2, 2, 3)], { name: '2-D content', content: true }),
  node('Tile', [x, list(1, 2, 3)]),
  node('Tile', [list(1, 2), list(2)], { name: 'content', content: true }),
  node('Concat', [x, floatsOf([2, 1, 4])], { attrs: { axis: int(1) } }),
  node('Concat', [x, x, x], { name: 'from the end', from: 11, attrs: { axis: int(-1) } }),
  node('Concat', [list(1, 2), list(3), list()], { name: 'content', attrs: { axis: int(0) }, content: true }),
  node('Split', [x], { name: 'equal', to: 17, attrs: { axis: int(2) }, outputs: 2 }),
  node('Split', [x], { name: 'attribute', to: 12, attrs: { axis: int(2), split: ints([1, 3]) }, outputs: 2 }),
  node('Split', [x, list(1, 3)], { name: 'input', from: 13, attrs: { axis: int(-1) }, outputs: 2 }),
  node('Split', [floatsOf([7])], { name: 'num_outputs', from: 18, attrs: { num_outputs: int(3) }, outputs: 3 }),
  node('Split', [list(1, 2, 3), list(1, 2)], { name: 'content', from: 13, outputs: 2, content: true }),
  node('Pad', [x], { name: 'attribute', to: 10, attrs: { pads: ints([0, 1, 0, 2, 0, 3]) } }),
  node('Pad', [x, list(0, 1, 0, 2, 0, 3)], { name: 'input', from: 11 }),
  node('Pad', [x, list(0, 1, -1, 0, 0, 1), f32([], [9])], { name: 'constant', from: 11 }),
  node('Pad', [x, list(0, 1, 0, 0, 1, 1)], { name: 'reflect', from: 11, attrs: { mode: str('reflect') } }),
  node('Pad', [x, list(1, 2), null, list(-1)], { name: 'axes', from: 18 }),
  node('CenterCropPad', [x, list(2, 6)], { attrs: { axes: ints([1, 2]) } }),
  node('DepthToSpace', [image], { attrs: { blocksize: int(2) } }),
  node('DepthToSpace', [image], { name: 'CRD', from: 11, attrs: { blocksize: int(2), mode: str('CRD') } }),
  node('DepthToSpace', [floatsOf([1, 12, 2, 3])], { name: 'three channels', attrs: { blocksize: int(2) } }),
  node('DepthToSpace', [floatsOf([1, 12, 2, 3])], {
    name: 'CRD, three channels',
    from: 11,
    attrs: { blocksize: int(2), mode: str('CRD') },
  }),
  node('SpaceToDepth', [image], { attrs: { blocksize: int(2) } }),
]

const nothing = f32([0], [])
const scales = f32([4], [1, 1, 1.6, 0.7])

export const resizeCases: readonly OpCase[] = [
  node('Resize', [image, scales], { name: 'scales, first form', to: 10 }),
  node('Resize', [image, nothing, scales], { name: 'scales', from: 11, flat: [1, 2] }),
  node('Resize', [image, nothing, scales], { name: 'linear', from: 11, flat: [1, 2], attrs: { mode: str('linear') } }),
  node('Resize', [image, nothing, nothing, list(1, 4, 9, 5)], { name: 'sizes, empty scales', from: 11, flat: [1, 2] }),
  node('Resize', [image, null, null, list(1, 4, 9, 5)], { name: 'sizes', from: 13 }),
  node('Resize', [image, null, f32([2], [2, 3])], { name: 'axes', from: 18, flat: [2], attrs: { axes: ints([2, 3]) } }),
  ...['not_larger', 'not_smaller'].map((policy) =>
    node('Resize', [image, null, null, list(9, 5)], {
      name: policy,
      from: 18,
      attrs: { axes: ints([2, 3]), keep_aspect_ratio_policy: str(policy) },
    }),
  ),
  node('Upsample', [image], { name: 'attribute', to: 8, attrs: { scales: floatList([1, 1, 2, 2.5]) } }),
  node('Upsample', [image, f32([4], [1, 1, 2, 2.5])], { name: 'input', from: 9, to: 9 }),
]

const constant = (name: string, value: Attr, from: number, rest: Omit<OpCase, 'op'> = {}): OpCase =>
  node('Constant', [], { name, from, attrs: { [name]: value }, ...rest })

/** The engine's random kernels end before opset 22. */
const random = (op: string, rest: Omit<OpCase, 'op'> = {}): OpCase =>
  node(op, [], { to: 21, attrs: { shape: ints([2, 3]) }, ...rest })

export const generateCases: readonly OpCase[] = [
  constant('value', tensorAttr(list(1, 2)), 7, { content: true }),
  constant('value_int', int(3), 12, { content: true }),
  constant('value_ints', ints([3, 4]), 12, { content: true }),
  constant('value_float', float(0.1), 12, { content: true }),
  constant('value_floats', floatList([0.1, 2]), 12, { content: true }),
  constant('value_string', str('a'), 12),
  constant('value_strings', strs(['a', 'b']), 12),
  node('ConstantOfShape', [list(2, 3)], { content: true }),
  node('ConstantOfShape', [list(2)], { name: 'value', attrs: { value: tensorAttr(list(7)) }, content: true }),
  node('ConstantOfShape', [list()], { name: 'scalar', content: true }),
  node('Shape', [x], { content: true }),
  node('Shape', [x], { name: 'part', from: 15, attrs: { start: int(1), end: int(-1) }, content: true }),
  node('Shape', [x], { name: 'clamped', from: 15, attrs: { start: int(-9), end: int(9) }, content: true }),
  node('Size', [x], { content: true }),
  node('Range', [one(2), one(11), one(3)], { content: true }),
  node('Range', [one(5), one(0), one(-2)], { name: 'down', content: true }),
  node('Range', [one(5), one(0), one(2)], { name: 'empty' }),
  node('Range', [f32([], [0]), f32([], [1]), f32([], [0.3])], { name: 'float' }),
  node('OneHot', [intsOf([2, 3]), one(10), f32([2], [0, 1])]),
  node('OneHot', [intsOf([2, 3]), list(10), list(0, 1)], { name: 'first axis', attrs: { axis: int(0) } }),
  node('EyeLike', [floatsOf([3, 4])]),
  node('EyeLike', [floatsOf([3, 4])], { name: 'type', attrs: { dtype: typeAttr('int64') } }),
  node('NonMaxSuppression', [floatsOf([1, 5, 4]), floatsOf([1, 2, 5]), one(2)], { dataDependent: true }),
  random('RandomNormal'),
  random('RandomUniform', { attrs: { shape: ints([4]), dtype: typeAttr('float64') } }),
  node('RandomNormalLike', [x], { to: 21 }),
  node('RandomUniformLike', [x], { name: 'type', to: 21, attrs: { dtype: typeAttr('float64') } }),
  node('Bernoulli', [positive], { to: 21 }),
  node('Bernoulli', [positive], { name: 'type', to: 21, attrs: { dtype: typeAttr('int64') } }),
  node('Multinomial', [positive], { to: 21, attrs: { sample_size: int(4) } }),
]

const chain = (
  op: string,
  name: string,
  build: (b: Builder) => readonly string[],
  rest: Omit<OpCase, 'op'> = {},
): OpCase => ({
  op,
  name,
  build,
  ...rest,
})

const made = (b: Builder): string => b.op('SequenceConstruct', [b.constant(x, 'x'), b.constant(x, 'y')])
const first = (b: Builder, seq: string): string => b.op('SequenceAt', [seq, b.constant(one(0), 'at')])

/** The engine gives a sparse constant to other nodes as a dense one. */
const sparse: Attr = { type: 'sparse', value: { values: f32([1], [5]), indices: list(2), shape: [4] } }

export const sparseCases: readonly OpCase[] = [
  chain(
    'Constant',
    'sparse_value',
    (b) => [b.op('Add', [b.op('Constant', [], { attrs: { sparse_value: sparse } }), b.constant(f32([1], [1]), 'x')])],
    { from: 11 },
  ),
]

export const sequenceCases: readonly OpCase[] = [
  chain('SequenceConstruct', 'then At', (b) => [first(b, made(b))]),
  chain('SequenceAt', 'of a sequence', (b) => [first(b, made(b))]),
  chain('SequenceLength', 'of a sequence', (b) => [b.op('SequenceLength', [made(b)])]),
  chain('SequenceInsert', 'then At', (b) => [first(b, b.op('SequenceInsert', [made(b), b.constant(x, 'z')]))]),
  chain(
    'SequenceInsert',
    'another shape',
    (b) => [first(b, b.op('SequenceInsert', [made(b), b.constant(floatsOf([2, 5, 4]), 'z')]))],
    { dataDependent: true },
  ),
  chain('SequenceErase', 'then At', (b) => [first(b, b.op('SequenceErase', [made(b)]))]),
  chain(
    'SequenceEmpty',
    'then Insert',
    (b) => {
      const empty = b.op('SequenceEmpty', [], { attrs: { dtype: typeAttr('float32') } })
      return [first(b, b.op('SequenceInsert', [empty, b.constant(x, 'z')]))]
    },
    { dataDependent: true },
  ),
  chain('SplitToSequence', 'ones', (b) => [
    first(b, b.op('SplitToSequence', [b.constant(x, 'x')], { attrs: { axis: int(1) } })),
  ]),
  chain('SplitToSequence', 'ones, dropped', (b) => [
    first(b, b.op('SplitToSequence', [b.constant(x, 'x')], { attrs: { axis: int(1), keepdims: int(0) } })),
  ]),
  chain('SplitToSequence', 'scalar', (b) => [
    first(b, b.op('SplitToSequence', [b.constant(x, 'x'), b.constant(one(2), 'n')], { attrs: { axis: int(2) } })),
  ]),
  chain(
    'SplitToSequence',
    'list',
    (b) => [
      first(b, b.op('SplitToSequence', [b.constant(x, 'x'), b.constant(list(1, 3), 'n')], { attrs: { axis: int(2) } })),
    ],
    { dataDependent: true },
  ),
  chain('ConcatFromSequence', 'joined', (b) => [b.op('ConcatFromSequence', [made(b)], { attrs: { axis: int(1) } })], {
    dataDependent: true,
  }),
  chain(
    'ConcatFromSequence',
    'stacked',
    (b) => [b.op('ConcatFromSequence', [made(b)], { attrs: { axis: int(-1), new_axis: int(1) } })],
    { dataDependent: true },
  ),
  ...['Optional', 'OptionalGetElement'].map((op) =>
    chain(op, 'there and back', (b) => [b.op('OptionalGetElement', [b.op('Optional', [b.constant(x, 'x')])])]),
  ),
  chain('OptionalHasElement', 'of one', (b) => [b.op('OptionalHasElement', [b.op('Optional', [b.constant(x, 'x')])])]),
  chain('OptionalGetElement', 'of a tensor', (b) => [b.op('OptionalGetElement', [b.constant(x, 'x')])], { from: 18 }),
]

/** How exporters compute shapes: the target of a Reshape from the shape of its input, op by op. */
export const shapeChains: readonly OpCase[] = [
  chain(
    'Reshape',
    'Shape, Gather, Unsqueeze, Concat',
    (b) => {
      const data = b.constant(x, 'x')
      const dims = b.op('Shape', [data])
      const batch = b.op('Gather', [dims, b.constant(one(0), 'i')])
      const target = b.op(
        'Concat',
        [b.op('Unsqueeze', [batch], { attrs: { axes: ints([0]) } }), b.constant(list(-1), 'rest')],
        { attrs: { axis: int(0) } },
      )
      return [b.op('Reshape', [data, target])]
    },
    { to: 12 },
  ),
  chain(
    'Expand',
    'ConstantOfShape, Mul, Equal, Where',
    (b) => {
      const data = b.constant(column, 'x')
      const dims = b.op('Shape', [b.constant(x, 'y')])
      const ones = b.op('ConstantOfShape', [b.op('Shape', [dims])], { attrs: { value: tensorAttr(list(1)) } })
      const minus = b.op('Mul', [ones, b.constant(one(-1), 'minus')])
      const target = b.op('Where', [b.op('Equal', [dims, minus]), ones, dims])
      return [b.op('Expand', [data, target])]
    },
    { from: 9 },
  ),
  chain(
    'Pad',
    'ConstantOfShape, Concat, Reshape, Slice, Transpose, Cast',
    (b) => {
      const data = b.constant(x, 'x')
      const pads = b.constant(list(0, 0, 1, 2), 'pads')
      const zeros = b.op('ConstantOfShape', [b.constant(list(2), 'n')], { attrs: { value: tensorAttr(list(0)) } })
      const pairs = b.op('Reshape', [
        b.op('Concat', [pads, zeros], { attrs: { axis: int(0) } }),
        b.constant(list(-1, 2), 'pairs'),
      ])
      const c = (v: number) => b.constant(list(v), 'c')
      const reversed = b.op('Slice', [pairs, c(-1), c(-most), c(0), c(-1)])
      const flat = b.op('Reshape', [b.op('Transpose', [reversed], { attrs: { perm: ints([1, 0]) } }), c(-1)])
      return [b.op('Pad', [data, b.op('Cast', [flat], { attrs: { to: typeAttr('int64') } })])]
    },
    { from: 11 },
  ),
  chain(
    'Range',
    'Shape, Gather, Squeeze, Add, Div',
    (b) => {
      const size = b.op('Gather', [b.op('Shape', [b.constant(x, 'x')]), b.constant(one(2), 'i')])
      const half = b.op('Div', [b.op('Add', [size, b.constant(one(2), 'two')]), b.constant(one(2), 'two')])
      return [b.op('Range', [b.constant(one(0), 'from'), half, b.constant(one(1), 'step')])]
    },
    { from: 11 },
  ),
  chain(
    'Resize',
    'Cast, Mul, Floor, Concat',
    (b) => {
      const data = b.constant(image, 'x')
      const dims = b.op('Shape', [data])
      const c = (v: number) => b.constant(list(v), 'c')
      const front = b.op('Slice', [dims, c(0), c(2), c(0)])
      const space = b.op('Cast', [b.op('Slice', [dims, c(2), c(4), c(0)])], { attrs: { to: typeAttr('float32') } })
      const scaled = b.op('Floor', [b.op('Mul', [space, b.constant(f32([2], [1.5, 0.4]), 's')])])
      const sizes = b.op('Concat', [front, b.op('Cast', [scaled], { attrs: { to: typeAttr('int64') } })], {
        attrs: { axis: int(0) },
      })
      return [b.op('Resize', [data, b.constant(nothing, 'roi'), b.constant(nothing, 'scales'), sizes])]
    },
    { from: 11 },
  ),
]
