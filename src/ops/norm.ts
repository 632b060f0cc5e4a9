/** Normalizations. All keep the shape of their input; some also put out statistics. */

import { intAttr } from '../ir/attrs.js'
import { dtypeOfCode } from '../ir/dtypes.js'
import type { Dim, DType } from '../ir/types.js'
import {
  alongAxis,
  batchNormAxes,
  channelNormAxes,
  groupNormAxes,
  instanceNormAxes,
  layerNormAxes,
  meanVarianceAxes,
} from './axes/norm.js'
import { type Call, type Fact, type OpDef, shapeOf } from './def.js'
import {
  batchNormGrad,
  groupNormGrad,
  instanceNormGrad,
  layerNormGrad,
  lpNormalizationGrad,
  rmsNormGrad,
} from './gradients/norm.js'
import { commonDType, def, fact, like, map } from './make.js'
import { normalizeAxis, unify, whereOf } from './shapes.js'

/** Statistics over the axes from `axis` on: those become 1. */
function statistics(call: Call, axis: number, dtype: DType): Fact | null {
  const x = shapeOf(call.inputs[0])
  if (x === null) return fact(dtype, null)
  const first = normalizeAxis(axis, x.length, whereOf(call))
  return fact(
    dtype,
    x.map((d, i) => (i < first ? d : 1)),
  )
}

/** Statistics are computed in the type that `stash_type` names, float32 by default. */
const stashed = (call: Call): Fact | null =>
  statistics(call, intAttr(call.node, 'axis', -1), dtypeOfCode(intAttr(call.node, 'stash_type', 1)))

/** Ops of one output that is like the input. */
const keep = (
  op: string,
  since: number,
  inputs: readonly string[],
  attrs: OpDef['schema']['attrs'],
  axes: OpDef['axes'],
  grad: OpDef['grad'] = 'none',
): OpDef => def(op, since, { inputs, outputs: ['Y'], attrs, infer: (call) => [like(call)], quant: map(0), axes, grad })

/** Before opset 14 the extra outputs are mean, var, saved_mean, saved_var; from then on the running mean and var. */
function batchNormalization(call: Call): (Fact | null)[] {
  const mean = like(call, 3)
  const variance = like(call, 4)
  return call.opset < 14 ? [like(call), mean, variance, mean, variance] : [like(call), mean, variance]
}

/** Transformer blocks: output, mean, inverse deviation, and the sum that was normalized. */
const skip = (op: string, inputs: readonly string[]): OpDef =>
  def(op, 1, {
    domain: 'com.microsoft',
    inputs,
    outputs: ['output', 'mean?', 'inv_std_var?', 'input_skip_bias_sum?'],
    separable: true,
    attrs: { epsilon: 'float' },
    infer: (call) => {
      const statistic = statistics(call, -1, 'float32')
      return [like(call), statistic, statistic, like(call)]
    },
    quant: map(0, 1),
    axes: layerNormAxes(1),
  })

/** [batch, sequence] ids, embedded in the width of the word embedding. */
function embedLayerNormalization(call: Call): (Fact | null)[] {
  const ids = shapeOf(call.inputs[0])
  const width = shapeOf(call.inputs[2])?.[1] ?? null
  const dtype = commonDType(call, [2, 3, 5])
  const shape: readonly Dim[] = [ids?.[0] ?? null, ids?.[1] ?? null, width]
  const mask = unify(ids?.[0] ?? null, shapeOf(call.inputs[7])?.[0] ?? null, whereOf(call))
  return [fact(dtype, shape), fact('int32', [mask]), fact(dtype, shape)]
}

export const norm: readonly OpDef[] = [
  def('BatchNormalization', 1, {
    inputs: ['X', 'scale', 'B', 'input_mean', 'input_var'],
    outputs: ['Y', 'running_mean?', 'running_var?', 'saved_mean?', 'saved_var?'],
    attrs: {
      consumed_inputs: 'ints',
      epsilon: 'float',
      is_test: 'int',
      momentum: 'float',
      spatial: 'int',
      training_mode: 'int',
    },
    grad: batchNormGrad,
    axes: batchNormAxes,
    infer: batchNormalization,
    quant: map(0),
  }),
  keep(
    'InstanceNormalization',
    1,
    ['input', 'scale', 'B'],
    { consumed_inputs: 'ints', epsilon: 'float' },
    instanceNormAxes,
    instanceNormGrad,
  ),
  def('LayerNormalization', 17, {
    inputs: ['X', 'Scale', 'B?'],
    outputs: ['Y', 'Mean?', 'InvStdDev?'],
    separable: true,
    attrs: { axis: 'int', epsilon: 'float', stash_type: 'int' },
    grad: layerNormGrad,
    axes: layerNormAxes(),
    infer: (call) => [like(call), stashed(call), stashed(call)],
    quant: map(0),
  }),
  keep(
    'GroupNormalization',
    18,
    ['X', 'scale', 'bias'],
    { epsilon: 'float', num_groups: 'int', stash_type: 'int' },
    groupNormAxes,
    groupNormGrad,
  ),
  keep('LRN', 1, ['X'], { alpha: 'float', beta: 'float', bias: 'float', size: 'int' }, channelNormAxes),
  keep('LpNormalization', 1, ['input'], { axis: 'int', p: 'int' }, alongAxis('axis', -1), lpNormalizationGrad),
  keep('MeanVarianceNormalization', 9, ['X'], { axes: 'ints' }, meanVarianceAxes),
  def('RMSNormalization', 23, {
    inputs: ['X', 'scale'],
    outputs: ['Y'],
    attrs: { axis: 'int', epsilon: 'float', stash_type: 'int' },
    grad: rmsNormGrad,
    axes: layerNormAxes(),
    infer: (call) => [like(call, 0, commonDType(call, [1, 0]))],
    quant: map(0),
  }),
  // An op of the engine that lives in the standard domain.
  def('SimplifiedLayerNormalization', 1, {
    inputs: ['X', 'scale'],
    outputs: ['Y', 'inv_std_var?'],
    separable: true,
    attrs: { axis: 'int', epsilon: 'float', stash_type: 'int' },
    grad: rmsNormGrad,
    axes: layerNormAxes(),
    infer: (call) => [like(call, 0, commonDType(call, [1, 0])), stashed(call)],
    quant: map(0),
  }),
  skip('SkipLayerNormalization', ['input', 'skip', 'gamma', 'beta?', 'bias?']),
  skip('SkipSimplifiedLayerNormalization', ['input', 'skip', 'gamma', 'bias?']),
  def('EmbedLayerNormalization', 1, {
    domain: 'com.microsoft',
    inputs: [
      'input_ids',
      'segment_ids?',
      'word_embedding',
      'position_embedding',
      'segment_embedding?',
      'gamma',
      'beta',
      'mask?',
      'position_ids?',
    ],
    outputs: ['output', 'mask_index?', 'embedding_sum?'],
    attrs: { epsilon: 'float', mask_index_type: 'int' },
    infer: embedLayerNormalization,
  }),
]
