/** Activations: element-wise, or normalizing along an axis; none changes type or shape. */

import { softmaxAxes } from './axes/norm.js'
import { broadcastAxes, eachAxis } from './axes/tools.js'
import { dtypeOf, type OpDef, shapeOf } from './def.js'
import {
  celuGrad,
  clipGrad,
  eluGrad,
  geluGrad,
  hardSigmoidGrad,
  hardSwishGrad,
  leakyReluGrad,
  logSoftmaxGrad,
  mishGrad,
  preluGrad,
  reluGrad,
  seluGrad,
  shrinkGrad,
  sigmoidGrad,
  softmaxGrad,
  softplusGrad,
  softsignGrad,
  swishGrad,
  tanhGrad,
  thresholdedReluGrad,
} from './gradients/activation.js'
import { def, exact, fact, like, map, unary } from './make.js'
import { elementsOf, hasInput, scalarOf } from './shapes.js'

/** Two inputs, the first of which gives the result its type and shape. */
const prelu = def('PRelu', 1, {
  inputs: ['X', 'slope'],
  outputs: ['Y'],
  quant: map(0),
  grad: preluGrad,
  axes: broadcastAxes(),
  infer: (call) => [like(call)],
})

/** Bounds are attributes up to opset 10, inputs since. */
const clip = def('Clip', 1, {
  inputs: ['input', 'min?', 'max?'],
  outputs: ['output'],
  attrs: { min: 'float', max: 'float' },
  quant: map(0),
  grad: clipGrad,
  axes: eachAxis,
  infer: (call) => {
    const dtype = dtypeOf(call.inputs[0])
    const low = hasInput(call, 1) ? scalarOf(call, 1) : Number.NEGATIVE_INFINITY
    const high = hasInput(call, 2) ? scalarOf(call, 2) : Number.POSITIVE_INFINITY
    const content = call.opset >= 11 && typeof low === 'number' && typeof high === 'number' ? elementsOf(call, 0) : null
    const clamped = content?.map((x) =>
      typeof x === 'number' ? exact(Math.min(Math.max(x, low as number), high as number), dtype) : null,
    )
    return [fact(dtype, shapeOf(call.inputs[0]), clamped ?? null)]
  },
})

export const activation: readonly OpDef[] = [
  unary('Relu', 1, { fold: (x) => Math.max(x, 0), grad: reluGrad }),
  unary('LeakyRelu', 1, { attrs: { alpha: 'float' }, grad: leakyReluGrad }),
  prelu,
  unary('Elu', 1, { attrs: { alpha: 'float' }, grad: eluGrad }),
  unary('Selu', 1, { attrs: { alpha: 'float', gamma: 'float' }, grad: seluGrad }),
  unary('Celu', 12, { attrs: { alpha: 'float' }, grad: celuGrad }),
  unary('Sigmoid', 1, { grad: sigmoidGrad }),
  unary('HardSigmoid', 1, { attrs: { alpha: 'float', beta: 'float' }, grad: hardSigmoidGrad }),
  unary('HardSwish', 14, { grad: hardSwishGrad }),
  unary('Tanh', 1, { grad: tanhGrad }),
  unary('Softplus', 1, { grad: softplusGrad }),
  unary('Softsign', 1, { grad: softsignGrad }),
  unary('Gelu', 20, { attrs: { approximate: 'string' }, grad: geluGrad }),
  unary('Mish', 18, { grad: mishGrad }),
  unary('Swish', 24, { attrs: { alpha: 'float' }, grad: swishGrad }),
  clip,
  unary('ThresholdedRelu', 10, { attrs: { alpha: 'float' }, grad: thresholdedReluGrad }),
  unary('Shrink', 9, { attrs: { bias: 'float', lambd: 'float' }, grad: shrinkGrad }),
  unary('Softmax', 1, { attrs: { axis: 'int' }, axes: softmaxAxes, grad: softmaxGrad }),
  unary('LogSoftmax', 1, { attrs: { axis: 'int' }, axes: softmaxAxes, grad: logSoftmaxGrad }),
  unary('Hardmax', 1, { attrs: { axis: 'int' }, axes: softmaxAxes, grad: 'flat' }),
]
