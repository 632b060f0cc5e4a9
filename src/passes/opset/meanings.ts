/** Ops whose meaning, or whose defaults, changed. */

import { int, intAttr, str, stringAttr } from '../../ir/attrs.js'
import { DTYPES, isKnownDType } from '../../ir/dtypes.js'
import { elementCount, f32, i64, numbers, tensorOfBytes } from '../../ir/tensor.js'
import type { Node, Tensor } from '../../ir/types.js'
import { shapeOf } from '../../ops/def.js'
import { isStatic } from '../../ops/shapes.js'
import { type ConvertContext, type Converter, omit, withInput } from './converter.js'

/** Opset 9 dropped `spatial`: statistics per activation exist no more. */
export const spatialBatchNorm: Converter = ({ node }) =>
  intAttr(node, 'spatial', 1) === 1
    ? [{ ...node, attrs: omit(node, 'spatial') }]
    : 'statistics for each activation (spatial = 0) ended with opset 9'

/** Opset 14: training is an attribute; before, more outputs meant training. */
export const inferenceBatchNorm: Converter = ({ node }) =>
  node.outputs.slice(1).some((out) => out !== '')
    ? 'it is in training mode (it has more outputs than one), which works differently from opset 14 on'
    : [{ ...node, outputs: node.outputs.slice(0, 1) }]

/** Opset 10: the mask became bool. */
export const dropoutMask: Converter = ({ node, isRead }) =>
  isRead(node.outputs[1]) ? 'its mask is used, whose type changes with opset 10' : [node]

/** Opset 10: Upsample became Resize. */
export const upsample: Converter = ({ node }) => [{ ...node, op: 'Resize' }]

/** Opset 11: Scatter became ScatterElements. */
export const scatter: Converter = ({ node }) => [{ ...node, op: 'ScatterElements' }]

/**
 * Opset 11 gave Resize a region and named modes. Opset 10 computes x_original = x / scale (asymmetric); `nearest`
 * rounds that down when enlarging and, in ONNX Runtime, up when shrinking.
 */
export const resize: Converter = ({ node, known, constant }) => {
  const scales = node.inputs[1]
  if (!scales) return 'its scales are missing'
  const attrs = { ...node.attrs, coordinate_transformation_mode: str('asymmetric') }
  const roi = constant(f32([0], []), `${node.outputs[0]}_roi`)
  const inputs = [node.inputs[0]!, roi, scales]
  if (stringAttr(node, 'mode', 'nearest') !== 'nearest') return [{ ...node, inputs, attrs }]
  const tensor = known(scales)
  if (tensor === null) return 'how it rounds depends on its scales, which are computed'
  const factors = numbers(tensor).filter((s) => s !== 1)
  const [grows, shrinks] = [factors.some((s) => s > 1), factors.some((s) => s < 1)]
  if (grows && shrinks) return 'it enlarges one axis and shrinks another, which opset 11 rounds alike'
  return [{ ...node, inputs, attrs: { ...attrs, nearest_mode: str(shrinks ? 'ceil' : 'floor') } }]
}

/** Opset 13: inputs that are not used are left out instead of empty; one coordinate mode went. */
export const resizeInputs: Converter = ({ node, known }) => {
  const isEmpty = (name: string | undefined) => elementCount(known(name)?.shape ?? [1]) === 0
  const [x, roi = '', scales = '', ...sizes] = node.inputs
  const inputs = [x!, isEmpty(roi) ? '' : roi, sizes[0] && isEmpty(scales) ? '' : scales, ...sizes]
  const next = { ...node, inputs }
  if (stringAttr(node, 'coordinate_transformation_mode') !== 'tf_half_pixel_for_nn') return [next]
  if (stringAttr(node, 'nearest_mode', 'round_prefer_floor') !== 'floor') {
    return 'its coordinates (tf_half_pixel_for_nn) ended with opset 13'
  }
  // ⌊(x + ½)/s⌋ is (x + ½)/s − ½ rounded to nearest, halves up.
  const modes = { coordinate_transformation_mode: str('half_pixel'), nearest_mode: str('round_prefer_ceil') }
  return [{ ...next, attrs: { ...node.attrs, ...modes } }]
}

/**
 * Opset 13: Softmax, LogSoftmax and Hardmax work along one axis. Before, they flattened their input to two axes at
 * `axis` (default 1) and worked along the second: the same where `axis` is the last, or only axes of size 1 follow.
 */
export const softmax: Converter = ({ node, factOf, fresh, constant }) => {
  const shape = shapeOf(factOf(node.inputs[0]!))
  const axis = intAttr(node, 'axis', 1)
  if (shape !== null) {
    const at = axis < 0 ? axis + shape.length : axis
    const last = at === shape.length - 1
    if (last && (node.attrs.axis !== undefined || at === 1)) return [node]
    if (last || shape.slice(at + 1).every((d) => d === 1)) return [{ ...node, attrs: { ...node.attrs, axis: int(at) } }]
  } else if (axis === -1) {
    return [node]
  }
  const [x, y] = [node.inputs[0]!, node.outputs[0]!]
  const [flat, soft] = [fresh(`${y}_flat`), fresh(`${y}_${node.op}`)]
  const known = isStatic(shape)
  const size = known ? constant(i64([shape.length], shape), `${y}_shape`) : fresh(`${y}_shape`)
  return [
    ...(known ? [] : [plain('Shape', [x], size)]),
    { ...plain('Flatten', [x], flat), attrs: { axis: int(axis) } },
    { ...node, inputs: [flat], outputs: [soft], attrs: { ...node.attrs, axis: int(-1) } },
    plain('Reshape', [soft, size], y),
  ]
}

const plain = (op: string, inputs: readonly string[], output: string): Node => ({
  name: '',
  domain: '',
  op,
  inputs,
  outputs: [output],
  attrs: {},
})

/** Opset 16: RoiAlign takes half a pixel off its coordinates by default. */
export const roiAlign: Converter = ({ node }) => [
  { ...node, attrs: { ...node.attrs, coordinate_transformation_mode: str('output_half_pixel') } },
]

/** Opset 20: modes of GridSample were renamed. */
export const gridSample: Converter = ({ node }) => {
  const mode = stringAttr(node, 'mode')
  const renamed = mode === 'bilinear' ? 'linear' : mode === 'bicubic' ? 'cubic' : mode
  return [renamed === mode ? node : { ...node, attrs: { ...node.attrs, mode: str(renamed!) } }]
}

/** Opset 21: scale and bias of GroupNormalization are given per channel instead of per group. */
export const groupNorm: Converter = (context) => {
  const { node, factOf } = context
  const channels = shapeOf(factOf(node.inputs[0]!))?.[1]
  const groups = intAttr(node, 'num_groups')
  if (typeof channels !== 'number' || groups === undefined) return 'its number of channels cannot be told'
  const before: Node[] = []
  const inputs = [1, 2].reduce<readonly string[]>(
    (all, i) => withInput({ ...node, inputs: all }, i, perChannel(node.inputs[i]!, groups, channels, context, before)),
    node.inputs,
  )
  return [...before, { ...node, inputs }]
}

/** The name of a value of shape [channels] that repeats each element of one of shape [groups]. */
function perChannel(name: string, groups: number, channels: number, context: ConvertContext, before: Node[]): string {
  const { known, constant, fresh } = context
  const each = channels / groups
  const tensor = known(name)
  if (tensor !== null && isKnownDType(tensor.dtype)) return constant(repeat(tensor, each), `${name}_channels`)
  const [column, table, flat] = [fresh(`${name}_column`), fresh(`${name}_table`), fresh(`${name}_channels`)]
  before.push(
    plain('Reshape', [name, constant(i64([2], [groups, 1]), `${name}_groups`)], column),
    plain('Expand', [column, constant(i64([2], [groups, each]), `${name}_sizes`)], table),
    plain('Reshape', [table, constant(i64([1], [channels]), `${name}_flat`)], flat),
  )
  return flat
}

function repeat(tensor: Tensor, times: number): Tensor {
  const count = elementCount(tensor.shape)
  const width = isKnownDType(tensor.dtype) ? DTYPES[tensor.dtype].bits / 8 : 0
  const from = tensor.bytes()
  const out = new Uint8Array(count * times * width)
  for (let i = 0; i < count * times; i++) {
    const at = Math.floor(i / times) * width
    out.set(from.subarray(at, at + width), i * width)
  }
  return tensorOfBytes(tensor.dtype, [count * times], out)
}
