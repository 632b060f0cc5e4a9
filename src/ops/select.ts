/** Ops that pick elements out of a tensor or write into it by index: Slice, Gather and Scatter in all their forms. */

import { intAttr, stringAttr } from '../ir/attrs.js'
import type { Dim, Node } from '../ir/types.js'
import { gatherAxes, sliceAxes, triluAxes } from './axes/select.js'
import { type Call, dtypeOf, type OpDef, shapeOf } from './def.js'
import {
  gatherElementsGrad,
  gatherGrad,
  gatherNDGrad,
  sameOpGrad,
  scatterElementsGrad,
  scatterNDGrad,
  sliceGrad,
} from './gradients/movement.js'
import { def, fact, like, move } from './make.js'
import { contentOf, elementsOf, isStatic, malformed, normalizeAxis, whereOf } from './shapes.js'
import { type Slice, sliced } from './slicing.js'

/** The elements of content that a slice takes; null where one of its ranges is unknown. */
function slicedContent(content: readonly Dim[], shape: readonly Dim[], { ranges }: Slice): readonly Dim[] | null {
  let offsets = [0]
  for (let axis = 0; axis < shape.length; axis++) {
    const range = ranges[axis]
    const size = shape[axis]
    if (range === null || range === undefined || typeof size !== 'number') return null
    const picked = Array.from({ length: range.count }, (_, k) => range.first + k * range.step)
    offsets = offsets.flatMap((o) => picked.map((k) => o * size + k))
  }
  return offsets.map((o) => content[o]!)
}

const slice = def('Slice', 1, {
  inputs: ['data', 'starts', 'ends', 'axes?', 'steps?'],
  outputs: ['output'],
  attrs: { starts: 'ints', ends: 'ints', axes: 'ints' },
  quant: move(0),
  grad: sliceGrad,
  axes: sliceAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    if (shape === null) return [like(call)]
    const result = sliced(call, shape)
    const content = elementsOf(call, 0)
    return [fact(dtypeOf(call.inputs[0]), result.shape, content && slicedContent(content, shape, result))]
  },
})

/** Elements of 1-D content at known indices (negative ones count from the end); a symbol or unknown index gives null. */
function gatheredContent(call: Call): readonly Dim[] | null {
  const [content, indices] = [contentOf(call, 0), elementsOf(call, 1)]
  if (content === null || indices === null || shapeOf(call.inputs[0])?.length !== 1) return null
  return indices.map((i) => (typeof i === 'number' ? (content.at(i) ?? null) : null))
}

/** The data may be an embedding table: its elements are moved all the same. */
const gather = def('Gather', 1, {
  inputs: ['data', 'indices'],
  outputs: ['output'],
  attrs: { axis: 'int' },
  quant: move(0),
  grad: gatherGrad,
  axes: gatherAxes,
  infer: (call) => {
    const [data, indices] = [shapeOf(call.inputs[0]), shapeOf(call.inputs[1])]
    if (data === null || indices === null) return [fact(dtypeOf(call.inputs[0]), null)]
    const axis = normalizeAxis(intAttr(call.node, 'axis', 0), data.length, whereOf(call))
    const shape = [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)]
    return [fact(dtypeOf(call.inputs[0]), shape, gatheredContent(call))]
  },
})

const gatherElements = def('GatherElements', 11, {
  inputs: ['data', 'indices'],
  outputs: ['output'],
  attrs: { axis: 'int' },
  quant: move(0),
  grad: gatherElementsGrad,
  infer: (call) => [like(call, 1, dtypeOf(call.inputs[0]))],
})

const gatherND = def('GatherND', 11, {
  inputs: ['data', 'indices'],
  outputs: ['output'],
  attrs: { batch_dims: 'int' },
  quant: move(0),
  grad: gatherNDGrad,
  infer: (call) => {
    const [data, indices] = [shapeOf(call.inputs[0]), shapeOf(call.inputs[1])]
    const tuple = indices?.at(-1)
    if (data === null || indices === null || typeof tuple !== 'number') return [fact(dtypeOf(call.inputs[0]), null)]
    const from = intAttr(call.node, 'batch_dims', 0) + tuple
    if (from > data.length)
      throw malformed(whereOf(call), `indices of ${tuple} numbers exceed the rank of the data`, data)
    return [fact(dtypeOf(call.inputs[0]), [...indices.slice(0, -1), ...data.slice(from)])]
  },
})

const placesOnly = (node: Node): boolean => stringAttr(node, 'reduction', 'none') === 'none'

/** Updates replace elements of the data or, with a `reduction`, are combined with them. */
const scatter = (op: string, since: number, attrs: OpDef['schema']['attrs'], grad: OpDef['grad']): OpDef =>
  def(op, since, {
    inputs: ['data', 'indices', 'updates'],
    outputs: ['output'],
    attrs,
    quant: { kind: 'map', inputs: [0, 2], moves: placesOnly },
    grad,
    infer: (call) => [like(call)],
  })

const reverseSequence = def('ReverseSequence', 10, {
  inputs: ['input', 'sequence_lens'],
  outputs: ['Y'],
  attrs: { batch_axis: 'int', time_axis: 'int' },
  quant: move(0),
  grad: sameOpGrad,
  infer: (call) => [like(call)],
})

/** The condition may be shorter than the axis: what lies beyond is left out. */
const compress = def('Compress', 9, {
  inputs: ['input', 'condition'],
  outputs: ['output'],
  attrs: { axis: 'int' },
  quant: move(0),
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    const condition = contentOf(call, 1)
    const count = isStatic(condition) ? condition.filter((c) => c !== 0).length : null
    const axis = intAttr(call.node, 'axis')
    if (axis === undefined) return [fact(dtype, [count])]
    return [fact(dtype, shape?.with(normalizeAxis(axis, shape.length, whereOf(call)), count) ?? null)]
  },
})

const trilu = def('Trilu', 14, {
  inputs: ['input', 'k?'],
  outputs: ['output'],
  attrs: { upper: 'int' },
  quant: { kind: 'map', inputs: [0] },
  grad: sameOpGrad,
  axes: triluAxes,
  infer: (call) => [like(call)],
})

export const selections: readonly OpDef[] = [
  slice,
  gather,
  gatherElements,
  gatherND,
  scatter('Scatter', 9, { axis: 'int' }, 'none'),
  scatter('ScatterElements', 11, { axis: 'int', reduction: 'string' }, scatterElementsGrad),
  scatter('ScatterND', 11, { reduction: 'string' }, scatterNDGrad),
  reverseSequence,
  compress,
  trilu,
]
