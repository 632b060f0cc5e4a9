/** Recurrent layers. X is [sequence, batch, input], or [batch, sequence, input] where `layout` is 1. */

import { intAttr, stringAttr } from '../ir/attrs.js'
import type { Dim } from '../ir/types.js'
import { rnnAxes } from './axes/rnn.js'
import { type Call, type Cost, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { def, fact } from './make.js'
import { malformed, product, unify, whereOf } from './shapes.js'

const RNN_ATTRS = {
  activation_alpha: 'floats',
  activation_beta: 'floats',
  activations: 'strings',
  clip: 'float',
  direction: 'string',
  hidden_size: 'int',
  layout: 'int',
  output_sequence: 'int',
} as const

interface Sizes {
  readonly sequence: Dim
  readonly batch: Dim
  readonly input: Dim
  readonly directions: Dim
  readonly hidden: Dim
  readonly batchFirst: boolean
}

/** `hiddenAxis` is that of R: [directions, gates·hidden, hidden], or transposed where the weights are quantized. */
function sizesOf(call: Call, hiddenAxis: number): Sizes {
  const where = whereOf(call)
  const x = shapeOf(call.inputs[0])
  const recurrent = shapeOf(call.inputs[2])
  if (x !== null && x.length !== 3) throw malformed(where, 'the input of a recurrent layer has three axes', x)
  const batchFirst = intAttr(call.node, 'layout', 0) === 1
  const [first = null, second = null, input = null] = x ?? []
  return {
    sequence: batchFirst ? second : first,
    batch: batchFirst ? first : second,
    input,
    directions: stringAttr(call.node, 'direction', 'forward') === 'bidirectional' ? 2 : 1,
    hidden: unify(intAttr(call.node, 'hidden_size') ?? null, recurrent?.[hiddenAxis] ?? null, where),
    batchFirst,
  }
}

/** Y [sequence, directions, batch, hidden] and `states` final states [directions, batch, hidden]; batch first alike. */
function outputs(call: Call, states: number, hiddenAxis = 2): (Fact | null)[] {
  const { sequence, batch, directions, hidden, batchFirst } = sizesOf(call, hiddenAxis)
  const dtype = dtypeOf(call.inputs[0])
  const all = batchFirst ? [batch, sequence, directions, hidden] : [sequence, directions, batch, hidden]
  const last = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
  return [fact(dtype, all), ...Array.from({ length: states }, () => fact(dtype, last))]
}

/** gates · H · (I + H) a step, sequence item and direction; biases and peepholes add none. */
const macs =
  (gates: number, hiddenAxis = 2) =>
  (call: Call): Cost | null => {
    const { sequence, batch, input, directions, hidden } = sizesOf(call, hiddenAxis)
    if (typeof input !== 'number' || typeof hidden !== 'number') return null
    const n = product([gates, hidden, input + hidden, directions, sequence, batch])
    return typeof n === 'number' ? { macs: n } : null
  }

/** W [directions, gates·H, I] and R [directions, gates·H, H]: the gates' rows are the channels. */
const RNN_QUANT: OpDef['quant'] = {
  kind: 'weighted',
  data: [0],
  weights: [1, 2],
  bias: 3,
  channelAxis: () => 1,
}

export const rnn: readonly OpDef[] = [
  def('LSTM', 1, {
    inputs: ['X', 'W', 'R', 'B?', 'sequence_lens?', 'initial_h?', 'initial_c?', 'P?'],
    outputs: ['Y?', 'Y_h?', 'Y_c?'],
    separable: true,
    attrs: { ...RNN_ATTRS, input_forget: 'int' },
    infer: (call) => outputs(call, 2),
    cost: macs(4),
    quant: RNN_QUANT,
    axes: rnnAxes,
  }),
  def('GRU', 1, {
    inputs: ['X', 'W', 'R', 'B?', 'sequence_lens?', 'initial_h?'],
    outputs: ['Y?', 'Y_h?'],
    separable: true,
    attrs: { ...RNN_ATTRS, linear_before_reset: 'int' },
    infer: (call) => outputs(call, 1),
    cost: macs(3),
    quant: RNN_QUANT,
    axes: rnnAxes,
  }),
  def('RNN', 1, {
    inputs: ['X', 'W', 'R', 'B?', 'sequence_lens?', 'initial_h?'],
    outputs: ['Y?', 'Y_h?'],
    separable: true,
    attrs: RNN_ATTRS,
    infer: (call) => outputs(call, 1),
    cost: macs(1),
    quant: RNN_QUANT,
    axes: rnnAxes,
  }),
  def('DynamicQuantizeLSTM', 1, {
    domain: 'com.microsoft',
    inputs: [
      'X',
      'W',
      'R',
      'B?',
      'sequence_lens?',
      'initial_h?',
      'initial_c?',
      'P?',
      'W_scale',
      'W_zero_point',
      'R_scale',
      'R_zero_point',
    ],
    outputs: ['Y?', 'Y_h?', 'Y_c?'],
    separable: true,
    attrs: {
      activation_alpha: 'floats',
      activation_beta: 'floats',
      activations: 'strings',
      clip: 'float',
      direction: 'string',
      hidden_size: 'int',
      input_forget: 'int',
    },
    infer: (call) => outputs(call, 2, 1),
    cost: macs(4, 1),
  }),
]
