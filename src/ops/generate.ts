/** Ops that make tensors from a shape, a range or nothing: constants, shapes of tensors, random numbers, boxes. */

import { floatAttr, floatsAttr, intAttr, intsAttr, stringAttr, stringsAttr, tensorOf } from '../ir/attrs.js'
import { dtypeOfCode, isFloat } from '../ir/dtypes.js'
import { elementCount } from '../ir/tensor.js'
import type { Dim, DType } from '../ir/types.js'
import { shapeAxes } from './axes/shape.js'
import { type Call, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { commonDType, def, exact, fact } from './make.js'
import {
  contentOfTensor,
  dimList,
  isStatic,
  MAX_CONTENT,
  malformed,
  normalizeAxis,
  product,
  scalarOf,
  whereOf,
} from './shapes.js'

function constantFact({ node }: Call): Fact | null {
  const value = tensorOf(node, 'value')
  if (value !== undefined) return fact(value.dtype, value.shape, contentOfTensor(value))
  const [int, list] = [intAttr(node, 'value_int'), intsAttr(node, 'value_ints')]
  if (int !== undefined) return fact('int64', [], [int])
  if (list !== undefined) return fact('int64', [list.length], list)
  const [float, floats] = [floatAttr(node, 'value_float'), floatsAttr(node, 'value_floats')]
  if (float !== undefined) return fact('float32', [], [exact(float, 'float32')])
  if (floats !== undefined)
    return fact(
      'float32',
      [floats.length],
      floats.map((x) => exact(x, 'float32')),
    )
  if (stringAttr(node, 'value_string') !== undefined) return fact('string', [])
  const strings = stringsAttr(node, 'value_strings')
  if (strings !== undefined) return fact('string', [strings.length])
  const sparse = node.attrs.sparse_value
  return sparse?.type === 'sparse' ? fact(sparse.value.values.dtype, sparse.value.shape) : null
}

const constant = def('Constant', 1, {
  inputs: [],
  outputs: ['output'],
  attrs: {
    sparse_value: 'sparse',
    value: 'tensor',
    value_float: 'float',
    value_floats: 'floats',
    value_int: 'int',
    value_ints: 'ints',
    value_string: 'string',
    value_strings: 'strings',
  },
  grad: 'flat',
  infer: (call) => [constantFact(call)],
})

/** float32 zeros unless `value`, a tensor of one element, says otherwise. */
const constantOfShape = def('ConstantOfShape', 9, {
  inputs: ['input'],
  outputs: ['output'],
  attrs: { value: 'tensor' },
  grad: 'flat',
  infer: (call) => {
    const value = tensorOf(call.node, 'value')
    const shape = dimList(call, 'shape', 0) ?? null
    const small = isStatic(shape) && elementCount(shape) <= MAX_CONTENT
    const filled = value === undefined ? 0 : (contentOfTensor(value)?.[0] ?? null)
    const content = small ? Array.from({ length: elementCount(shape) }, () => filled) : null
    return [fact(value?.dtype ?? 'float32', shape, content)]
  },
})

const shape = def('Shape', 1, {
  inputs: ['data'],
  outputs: ['shape'],
  attrs: { start: 'int', end: 'int' },
  grad: 'flat',
  axes: shapeAxes,
  infer: (call) => {
    const dims = shapeOf(call.inputs[0])
    if (dims === null) return [fact('int64', [null])]
    const part = dims.slice(intAttr(call.node, 'start', 0), intAttr(call.node, 'end', dims.length))
    return [fact('int64', [part.length], part)]
  },
})

const size = def('Size', 1, {
  inputs: ['data'],
  outputs: ['size'],
  grad: 'flat',
  infer: (call) => {
    const dims = shapeOf(call.inputs[0])
    return [fact('int64', [], dims && [product(dims)])]
  },
})

/** max(⌈(limit − start) / delta⌉, 0) elements. */
function rangeLength(start: Dim, limit: Dim, delta: Dim, dtype: DType, where: string): Dim {
  if (delta === 0) throw malformed(where, 'delta is 0', delta)
  if (typeof start === 'number' && typeof limit === 'number' && typeof delta === 'number') {
    const span = dtype === 'float32' ? Math.fround(limit - start) : limit - start
    return Math.max(0, Math.ceil(span / delta))
  }
  return start === 0 && delta === 1 ? limit : null
}

const range = def('Range', 11, {
  inputs: ['start', 'limit', 'delta'],
  outputs: ['output'],
  attrs: { stash_type: 'int' },
  grad: 'flat',
  infer: (call) => {
    const dtype = commonDType(call, [0, 1, 2])
    const [start, limit, delta] = [scalarOf(call, 0), scalarOf(call, 1), scalarOf(call, 2)]
    const length = rangeLength(start, limit, delta, dtype, whereOf(call))
    const counted = typeof length === 'number' && length <= MAX_CONTENT && !isFloat(dtype)
    const content = counted
      ? Array.from({ length }, (_, i) => exact((start as number) + i * (delta as number), dtype))
      : null
    return [fact(dtype, [length], content)]
  },
})

const oneHot = def('OneHot', 9, {
  inputs: ['indices', 'depth', 'values'],
  outputs: ['output'],
  attrs: { axis: 'int' },
  infer: (call) => {
    const indices = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[2])
    if (indices === null) return [fact(dtype, null)]
    const axis = normalizeAxis(intAttr(call.node, 'axis', -1), indices.length + 1, whereOf(call))
    const depth = scalarOf(call, 1)
    const whole = typeof depth === 'number' ? Math.trunc(depth) : depth
    return [fact(dtype, indices.toSpliced(axis, 0, whole))]
  },
})

const nonMaxSuppression = def('NonMaxSuppression', 10, {
  inputs: ['boxes', 'scores', 'max_output_boxes_per_class?', 'iou_threshold?', 'score_threshold?'],
  outputs: ['selected_indices'],
  attrs: { center_point_box: 'int' },
  grad: 'flat',
  infer: () => [fact('int64', [null, 3])],
})

/** The type that the attribute `dtype` names; `otherwise` where it is absent. */
function dtypeAttr(call: Call, otherwise: DType): DType {
  const code = intAttr(call.node, 'dtype')
  return code === undefined ? otherwise : dtypeOfCode(code)
}

const eyeLike = def('EyeLike', 9, {
  inputs: ['input'],
  outputs: ['output'],
  attrs: { dtype: 'int', k: 'int' },
  grad: 'flat',
  infer: (call) => [fact(dtypeAttr(call, dtypeOf(call.inputs[0])), shapeOf(call.inputs[0]))],
})

const random = (op: string, attrs: OpDef['schema']['attrs']): OpDef =>
  def(op, 1, {
    inputs: [],
    outputs: ['output'],
    attrs: { ...attrs, dtype: 'int', seed: 'float', shape: 'ints' },
    random: true,
    infer: (call) => [fact(dtypeAttr(call, 'float32'), intsAttr(call.node, 'shape') ?? null)],
  })

const randomLike = (op: string, since: number, attrs: OpDef['schema']['attrs']): OpDef =>
  def(op, since, {
    inputs: ['input'],
    outputs: ['output'],
    attrs: { ...attrs, dtype: 'int', seed: 'float' },
    random: true,
    infer: (call) => [fact(dtypeAttr(call, dtypeOf(call.inputs[0])), shapeOf(call.inputs[0]))],
  })

const multinomial = def('Multinomial', 7, {
  inputs: ['input'],
  outputs: ['output'],
  attrs: { dtype: 'int', sample_size: 'int', seed: 'float' },
  random: true,
  infer: (call) => [
    fact(dtypeAttr(call, 'int32'), [shapeOf(call.inputs[0])?.[0] ?? null, intAttr(call.node, 'sample_size', 1)]),
  ],
})

export const generate: readonly OpDef[] = [
  constant,
  constantOfShape,
  shape,
  size,
  range,
  oneHot,
  eyeLike,
  nonMaxSuppression,
  random('RandomNormal', { mean: 'float', scale: 'float' }),
  random('RandomUniform', { high: 'float', low: 'float' }),
  randomLike('RandomNormalLike', 1, { mean: 'float', scale: 'float' }),
  randomLike('RandomUniformLike', 1, { high: 'float', low: 'float' }),
  randomLike('Bernoulli', 15, {}),
  multinomial,
]
