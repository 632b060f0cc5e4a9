/** Gradients of activations. */

import { intAttr } from '../../ir/attrs.js'
import type { GradCall } from '../def.js'
import { normalizeAxis, whereOf } from '../shapes.js'
import { floatCast, mul, number, op, shapeOfInput, sub, sumOver, unaryRule } from './tools.js'

/** y′ = [y > 0]; at 0 the derivative from the left, as every framework takes it. A Cast is faster than a Where. */
export const reluGrad = unaryRule((g, { y, dy }) => mul(g, dy, floatCast(g, op(g, 'Greater', [y, number(g, 0)]))))
/** y′ = y (1 − y) */
export const sigmoidGrad = unaryRule((g, { y, dy }) => mul(g, mul(g, dy, y), sub(g, number(g, 1), y)))
/** y′ = 1 − y² */
export const tanhGrad = unaryRule((g, { y, dy }) => mul(g, dy, sub(g, number(g, 1), mul(g, y, y))))

const axisOf = (g: GradCall): number =>
  normalizeAxis(intAttr(g.node, 'axis', -1), shapeOfInput(g, 0).length, whereOf(g))

/** dx = y (dy − Σ dy y) */
export const softmaxGrad = unaryRule((g, { y, dy }) => {
  const weighted = mul(g, dy, y)
  return sub(g, weighted, mul(g, y, sumOver(g, weighted, [axisOf(g)], true)))
})
/** dx = dy − exp(y) Σ dy */
export const logSoftmaxGrad = unaryRule((g, { y, dy }) =>
  sub(g, dy, mul(g, op(g, 'Exp', [y]), sumOver(g, dy, [axisOf(g)], true))),
)
