/** Quantizing, dequantizing, and the engine's ops on quantized tensors. These carry their grid with them: no rule. */

import { intAttr } from '../ir/attrs.js'
import { dtypeOfCode } from '../ir/dtypes.js'
import type { Dim, DType } from '../ir/types.js'
import { gridAxes } from './axes/quantization.js'
import { type Call, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { commonDType, def, fact, like } from './make.js'
import { addDim, broadcast, hasInput, normalizeAxis, unify, whereOf } from './shapes.js'
import { slideShape } from './windows.js'

/** The zero point's type, else the one that `output_dtype` names (0: none), else `fallback`. */
function gridType(call: Call, zeroPoint: number, fallback: DType): DType {
  if (hasInput(call, zeroPoint)) return dtypeOf(call.inputs[zeroPoint])
  const code = intAttr(call.node, 'output_dtype', 0)
  return code === 0 ? fallback : dtypeOfCode(code)
}

/** The scale's type, or the one that `output_dtype` names; float32 where the scale had to be one. */
function realType(call: Call): DType {
  const code = intAttr(call.node, 'output_dtype', 0)
  if (code !== 0) return dtypeOfCode(code)
  return call.node.domain === '' && call.opset < 19 ? 'float32' : dtypeOf(call.inputs[1])
}

const quantizeInputs = ['x', 'y_scale', 'y_zero_point?']
const dequantizeInputs = ['x', 'x_scale', 'x_zero_point?']

const inferQuantize = (call: Call): (Fact | null)[] => [like(call, 0, gridType(call, 2, 'uint8'))]
const inferDequantize = (call: Call): (Fact | null)[] => [like(call, 0, realType(call))]

interface QLinearSpec {
  readonly inputs: readonly string[]
  readonly attrs?: OpDef['schema']['attrs']
  readonly shape: (call: Call) => readonly Dim[] | null
  readonly output?: string
}

/** An op on quantized tensors whose result has the type of its first operand. */
const qlinear = (op: string, { inputs, attrs = {}, shape, output = 'Y' }: QLinearSpec): OpDef =>
  def(op, 1, {
    domain: 'com.microsoft',
    inputs,
    outputs: [output],
    attrs,
    infer: (call) => [fact(dtypeOf(call.inputs[0]), shape(call))],
  })

const qlinearUnary = (op: string, attrs: OpDef['schema']['attrs'] = {}): OpDef =>
  qlinear(op, {
    inputs: ['X', 'X_scale', 'X_zero_point?', 'Y_scale', 'Y_zero_point?'],
    attrs,
    shape: (call) => shapeOf(call.inputs[0]),
  })

const qlinearBinary = (op: string): OpDef =>
  qlinear(op, {
    inputs: ['A', 'A_scale', 'A_zero_point?', 'B', 'B_scale', 'B_zero_point?', 'C_scale', 'C_zero_point?'],
    shape: (call) => broadcast([shapeOf(call.inputs[0]), shapeOf(call.inputs[3])], whereOf(call)),
    output: 'C',
  })

/** `channels_last` is 1 for [N, …, C]; pooled as [N, C, …] and put back. */
function pooled(call: Call, pool: (x: readonly Dim[]) => readonly Dim[] | null): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  if (x === null) return null
  if (intAttr(call.node, 'channels_last', 0) === 0) {
    const spatial = pool(x)
    return spatial && [...x.slice(0, 2), ...spatial]
  }
  const spatial = pool([x[0]!, x.at(-1)!, ...x.slice(1, -1)])
  return spatial && [x[0]!, ...spatial, x.at(-1)!]
}

/** Triples of tensor, scale and zero point from input 2 on, joined along `axis`. */
function concatShape(call: Call): Dim[] | null {
  const shapes = call.inputs.filter((_, i) => i >= 2 && i % 3 === 2).map(shapeOf)
  if (shapes.length === 0 || !shapes.every((s) => s !== null)) return null
  const first = shapes[0]!
  const axis = normalizeAxis(intAttr(call.node, 'axis', 1), first.length, whereOf(call))
  return shapes.slice(1).reduce<Dim[]>(
    (out, shape) =>
      out.map((d, i) => {
        const other = shape[i] ?? null
        return i === axis ? addDim(d, other) : unify(d, other, whereOf(call))
      }),
    [...first],
  )
}

const AVERAGE_ATTRS = { auto_pad: 'string', kernel_shape: 'ints', pads: 'ints', strides: 'ints' } as const

export const quantization: readonly OpDef[] = [
  def('QuantizeLinear', 10, {
    inputs: quantizeInputs,
    outputs: ['y'],
    attrs: { axis: 'int', block_size: 'int', output_dtype: 'int', precision: 'int', saturate: 'int' },
    infer: inferQuantize,
    axes: gridAxes,
  }),
  def('DequantizeLinear', 10, {
    inputs: dequantizeInputs,
    outputs: ['y'],
    attrs: { axis: 'int', block_size: 'int', output_dtype: 'int' },
    infer: inferDequantize,
    axes: gridAxes,
  }),
  def('DynamicQuantizeLinear', 11, {
    inputs: ['x'],
    outputs: ['y', 'y_scale', 'y_zero_point'],
    infer: (call) => [like(call, 0, 'uint8'), fact('float32', []), fact('uint8', [])],
  }),
  def('QuantizeLinear', 1, {
    domain: 'com.microsoft',
    inputs: quantizeInputs,
    outputs: ['y'],
    attrs: { axis: 'int' },
    infer: inferQuantize,
    axes: gridAxes,
  }),
  def('DequantizeLinear', 1, {
    domain: 'com.microsoft',
    inputs: dequantizeInputs,
    outputs: ['y'],
    attrs: { axis: 'int' },
    infer: inferDequantize,
    axes: gridAxes,
  }),
  qlinearBinary('QLinearAdd'),
  qlinearBinary('QLinearMul'),
  def('QLinearConcat', 1, {
    domain: 'com.microsoft',
    inputs: ['Y_scale', 'Y_zero_point', 'inputs*'],
    outputs: ['Y'],
    attrs: { axis: 'int' },
    infer: (call) => [fact(commonDType(call, [1, 2]), concatShape(call))],
  }),
  qlinearUnary('QLinearSigmoid'),
  qlinearUnary('QLinearLeakyRelu', { alpha: 'float' }),
  qlinear('QLinearSoftmax', {
    inputs: ['X', 'X_scale', 'x_zero_point?', 'y_scale', 'y_zero_point'],
    attrs: { axis: 'int', opset: 'int' },
    shape: (call) => shapeOf(call.inputs[0]),
  }),
  qlinear('QLinearGlobalAveragePool', {
    inputs: ['X', 'x_scale', 'x_zero_point', 'y_scale', 'y_zero_point'],
    attrs: { channels_last: 'int' },
    shape: (call) => pooled(call, (x) => x.slice(2).map(() => 1)),
  }),
  qlinear('QLinearAveragePool', {
    inputs: ['X', 'x_scale', 'x_zero_point?', 'y_scale', 'y_zero_point?'],
    attrs: { ...AVERAGE_ATTRS, ceil_mode: 'int', channels_last: 'int', count_include_pad: 'int' },
    shape: (call) => pooled(call, (x) => slideShape(call, x)),
  }),
]
