/** Sequences of tensors and optional values. */

import { intAttr } from '../ir/attrs.js'
import { dtypeOfCode } from '../ir/dtypes.js'
import type { Dim, DType, TensorValue, Value } from '../ir/types.js'
import { type Call, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { def, fact } from './make.js'
import { dimList, hasInput, normalizeAxis, sameDim, whereOf } from './shapes.js'

const tensorValue = (dtype: DType, shape: readonly Dim[] | null): TensorValue => ({ kind: 'tensor', dtype, shape })
const sequenceOf = (element: Value): Fact => ({ value: { kind: 'sequence', element } })

/** What all elements have in common: dimensions that are surely equal, an unknown shape where ranks differ. */
function common(a: TensorValue, b: TensorValue): TensorValue {
  const dtype = a.dtype === 'undefined' ? b.dtype : a.dtype
  if (a.shape === null || b.shape === null || a.shape.length !== b.shape.length) return tensorValue(dtype, null)
  const other = b.shape
  return tensorValue(
    dtype,
    a.shape.map((d, i) => (sameDim(d, other[i]) ? d : null)),
  )
}

/** The tensors that a sequence holds; null where the input is none, or holds something else. */
function elementOf(call: Call, input = 0): TensorValue | null {
  const value = call.inputs[input]?.value
  return value?.kind === 'sequence' && value.element.kind === 'tensor' ? value.element : null
}

const asTensor = (value: Fact | null | undefined): TensorValue => tensorValue(dtypeOf(value), shapeOf(value))

const construct = def('SequenceConstruct', 11, {
  inputs: ['inputs*'],
  outputs: ['output_sequence'],
  infer: (call) => [call.inputs.length === 0 ? null : sequenceOf(call.inputs.map(asTensor).reduce(common))],
})

const empty = def('SequenceEmpty', 11, {
  inputs: [],
  outputs: ['output_sequence'],
  attrs: { dtype: 'int' },
  infer: (call) => [sequenceOf(tensorValue(dtypeOfCode(intAttr(call.node, 'dtype', 1)), null))],
})

const insert = def('SequenceInsert', 11, {
  inputs: ['input_sequence', 'tensor', 'position?'],
  outputs: ['output_sequence'],
  infer: (call) => {
    const element = elementOf(call)
    const tensor = asTensor(call.inputs[1])
    return [sequenceOf(element ? common(element, tensor) : tensorValue(tensor.dtype, null))]
  },
})

const erase = def('SequenceErase', 11, {
  inputs: ['input_sequence', 'position?'],
  outputs: ['output_sequence'],
  infer: (call) => [call.inputs[0] ? { value: call.inputs[0].value } : null],
})

const at = def('SequenceAt', 11, {
  inputs: ['input_sequence', 'position'],
  outputs: ['tensor'],
  infer: (call) => {
    const element = elementOf(call)
    return [element && fact(element.dtype, element.shape)]
  },
})

const length = def('SequenceLength', 11, {
  inputs: ['input_sequence'],
  outputs: ['length'],
  infer: () => [fact('int64', [])],
})

/** The size that all pieces share along the split axis; null where they differ or it is unknown. */
function pieceSize(call: Call, size: Dim): Dim {
  const split = dimList(call, 'split', 1)
  if (split === undefined) return 1
  if (split === null) return null
  const first = split[0] ?? null
  if (shapeOf(call.inputs[1])?.length !== 0) return split.every((s) => sameDim(s, first)) ? first : null
  return typeof size === 'number' && typeof first === 'number' && size % first === 0 ? first : null
}

const splitToSequence = def('SplitToSequence', 11, {
  inputs: ['input', 'split?'],
  outputs: ['output_sequence'],
  attrs: { axis: 'int', keepdims: 'int' },
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    if (shape === null) return [sequenceOf(tensorValue(dtype, null))]
    const axis = normalizeAxis(intAttr(call.node, 'axis', 0), shape.length, whereOf(call))
    const squeezed = !hasInput(call, 1) && intAttr(call.node, 'keepdims', 1) === 0
    const out = squeezed ? shape.toSpliced(axis, 1) : shape.with(axis, pieceSize(call, shape[axis]!))
    return [sequenceOf(tensorValue(dtype, out))]
  },
})

const concatFromSequence = def('ConcatFromSequence', 11, {
  inputs: ['input_sequence'],
  outputs: ['concat_result'],
  attrs: { axis: 'int', new_axis: 'int' },
  infer: (call) => {
    const element = elementOf(call)
    if (element === null || element.shape === null) return [element && fact(element.dtype, null)]
    const stacked = intAttr(call.node, 'new_axis', 0) === 1
    const rank = element.shape.length + (stacked ? 1 : 0)
    const axis = normalizeAxis(intAttr(call.node, 'axis', 0), rank, whereOf(call))
    return [fact(element.dtype, stacked ? element.shape.toSpliced(axis, 0, null) : element.shape.with(axis, null))]
  },
})

const optional = def('Optional', 15, {
  inputs: ['input?'],
  outputs: ['output'],
  attrs: { type: 'type' },
  infer: (call) => {
    const type = call.node.attrs.type
    const element = call.inputs[0]?.value ?? (type?.type === 'type' ? type.value : undefined)
    return [element ? { value: { kind: 'optional', element } } : null]
  },
})

/** Since opset 18 the input may also be a plain tensor or sequence, which passes through. */
const getElement = def('OptionalGetElement', 15, {
  inputs: ['input'],
  outputs: ['output'],
  infer: (call) => {
    const input = call.inputs[0] ?? null
    return [input?.value.kind === 'optional' ? { value: input.value.element } : input]
  },
})

const hasElement = def('OptionalHasElement', 15, {
  inputs: ['input?'],
  outputs: ['output'],
  infer: () => [fact('bool', [])],
})

export const sequence: readonly OpDef[] = [
  construct,
  empty,
  insert,
  erase,
  at,
  length,
  splitToSequence,
  concatFromSequence,
  optional,
  getElement,
  hasElement,
]
