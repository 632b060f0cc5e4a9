/** Convolutions: float, integer, transposed, deformable. X is [N, C, …], W [M, C/group, …]. */

import { intAttr, intsAttr } from '../ir/attrs.js'
import type { Dim } from '../ir/types.js'
import { convAxes, convTransposeAxes } from './axes/conv.js'
import { type Call, type Cost, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { convGrad, convTransposeGrad } from './gradients/conv.js'
import { def, fact } from './make.js'
import { malformed, mulDim, product, unify, unknownDims, whereOf } from './shapes.js'
import { autoPadOf, kernelShape, slideShape, unslideSize, WINDOW_ATTRS, windowsOf } from './windows.js'

const CONV_ATTRS = { ...WINDOW_ATTRS, group: 'int' } as const

/** [N, M, …] of a convolution whose weight is input `w`. */
function convShape(call: Call, w: number): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  const weight = shapeOf(call.inputs[w])
  if (x !== null && weight !== null) {
    if (x.length !== weight.length) {
      throw malformed(whereOf(call), 'input and weight of a convolution have one rank', [x.length, weight.length])
    }
    unify(x[1]!, mulDim(weight[1]!, intAttr(call.node, 'group', 1)), whereOf(call))
  }
  const rank = x?.length ?? weight?.length ?? null
  if (rank === null) return null
  const spatial = slideShape(call, x, w) ?? unknownDims(rank - 2)
  return [x?.[0] ?? null, weight?.[0] ?? null, ...spatial]
}

/** Products: each output element takes C/group · kernel of them. A bias adds none. */
const convCost =
  (w: number) =>
  (_call: Call, outputs: readonly (Fact | null)[]): Cost | null => {
    const out = shapeOf(outputs[0])
    const weight = shapeOf(_call.inputs[w])
    if (out === null || weight === null) return null
    const macs = product([...out, ...weight.slice(1)])
    return typeof macs === 'number' ? { macs } : null
  }

const CONV_QUANT: OpDef['quant'] = {
  kind: 'weighted',
  data: [0],
  weights: [1],
  bias: 2,
  channelAxis: () => 0,
}

/** [N, M, …] of a transposed convolution: W is [C, M/group, …]. */
function transposedShape(call: Call): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  const weight = shapeOf(call.inputs[1])
  const rank = x?.length ?? weight?.length ?? null
  if (rank === null) return null
  if (rank < 2 || (x && weight && x.length !== weight.length)) {
    throw malformed(whereOf(call), 'input and weight of a convolution have one rank of at least 2', [
      x?.length,
      weight?.length,
    ])
  }
  if (x && weight) unify(x[1]!, weight[0]!, whereOf(call))
  const channels = weight === null ? null : mulDim(weight[1]!, intAttr(call.node, 'group', 1))
  return [x?.[0] ?? null, channels, ...transposedSizes(call, x, rank - 2)]
}

function transposedSizes(call: Call, x: readonly Dim[] | null, rank: number): readonly Dim[] {
  const asked = intsAttr(call.node, 'output_shape')
  if (asked !== undefined && asked.length > 0) return asked.slice(-rank)
  if (x === null) return unknownDims(rank)
  const extra = intsAttr(call.node, 'output_padding') ?? []
  const autoPad = autoPadOf(call.node)
  return windowsOf(call, rank, kernelShape(call, rank, 1)).map((w, i) =>
    unslideSize(x[i + 2]!, w, autoPad, extra[i] ?? 0),
  )
}

/** Products: each input element meets M/group · kernel weights. */
function transposedCost(call: Call): Cost | null {
  const x = shapeOf(call.inputs[0])
  const weight = shapeOf(call.inputs[1])
  if (x === null || weight === null) return null
  const macs = product([...x, ...weight.slice(1)])
  return typeof macs === 'number' ? { macs } : null
}

export const conv: readonly OpDef[] = [
  def('Conv', 1, {
    inputs: ['X', 'W', 'B?'],
    outputs: ['Y'],
    attrs: CONV_ATTRS,
    grad: convGrad,
    axes: convAxes,
    infer: (call) => [fact(dtypeOf(call.inputs[0]), convShape(call, 1))],
    cost: convCost(1),
    quant: CONV_QUANT,
  }),
  def('ConvTranspose', 1, {
    inputs: ['X', 'W', 'B?'],
    outputs: ['Y'],
    attrs: { ...CONV_ATTRS, output_padding: 'ints', output_shape: 'ints' },
    grad: convTransposeGrad,
    axes: convTransposeAxes,
    infer: (call) => [fact(dtypeOf(call.inputs[0]), transposedShape(call))],
    cost: transposedCost,
    quant: {
      kind: 'weighted',
      data: [0],
      weights: [1],
      bias: 2,
      // With groups, W[:, j] serves output channels j, j + M/group, …: one scale an axis entry is not one a channel.
      channelAxis: ({ node }) => (intAttr(node, 'group', 1) === 1 ? 1 : null),
    },
  }),
  def('ConvInteger', 10, {
    inputs: ['x', 'w', 'x_zero_point?', 'w_zero_point?'],
    outputs: ['y'],
    attrs: CONV_ATTRS,
    infer: (call) => [fact('int32', convShape(call, 1))],
    cost: convCost(1),
  }),
  def('QLinearConv', 10, {
    inputs: ['x', 'x_scale', 'x_zero_point', 'w', 'w_scale', 'w_zero_point', 'y_scale', 'y_zero_point', 'B?'],
    outputs: ['y'],
    attrs: CONV_ATTRS,
    infer: (call) => [fact(dtypeOf(call.inputs[7]), convShape(call, 3))],
    cost: convCost(3),
  }),
  def('DeformConv', 19, {
    inputs: ['X', 'W', 'offset', 'B?', 'mask?'],
    outputs: ['Y'],
    attrs: {
      dilations: 'ints',
      group: 'int',
      kernel_shape: 'ints',
      offset_group: 'int',
      pads: 'ints',
      strides: 'ints',
    },
    infer: (call) => [fact(dtypeOf(call.inputs[0]), convShape(call, 1))],
    // As Conv: the interpolation of the samples is not counted.
    cost: convCost(1),
    quant: { kind: 'weighted', data: [0], weights: [1], bias: 3, channelAxis: () => 0 },
  }),
  def('FusedConv', 1, {
    domain: 'com.microsoft',
    inputs: ['X', 'W', 'B?', 'Z?'],
    outputs: ['Y'],
    attrs: { ...CONV_ATTRS, activation: 'string', activation_params: 'floats' },
    infer: (call) => [fact(dtypeOf(call.inputs[0]), convShape(call, 1))],
    cost: convCost(1),
    quant: CONV_QUANT,
  }),
]
