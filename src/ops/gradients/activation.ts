/** Gradients of activations. At a kink: the derivative from the left, as frameworks take it. */

import { float, floatAttr, intAttr, stringAttr } from '../../ir/attrs.js'
import type { GradCall, GradRule } from '../def.js'
import { normalizeAxis, whereOf } from '../shapes.js'
import {
  add,
  div,
  floatCast,
  mul,
  number,
  op,
  shapeOfInput,
  shapeOfOutput,
  sub,
  sumOver,
  unaryRule,
  unbroadcast,
} from './tools.js'

const one = (g: GradCall): string => number(g, 1)
const above = (g: GradCall, x: string, bound = 0): string => op(g, 'Greater', [x, number(g, bound)])
const choose = (g: GradCall, condition: string, a: string, b: string): string => op(g, 'Where', [condition, a, b])
const sigmoid = (g: GradCall, x: string): string => op(g, 'Sigmoid', [x])

/** y′ = [y > 0]; a Cast is faster than a Where. */
export const reluGrad = unaryRule((g, { y, dy }) => mul(g, dy, floatCast(g, above(g, y))))

/** y′ = α + (1 − α) [x > 0] */
export const leakyReluGrad = unaryRule((g, { x, dy }) => {
  const alpha = floatAttr(g.node, 'alpha', 0.01)
  const slope = add(g, mul(g, floatCast(g, above(g, x)), number(g, 1 - alpha)), number(g, alpha))
  return mul(g, dy, slope)
})

export const preluGrad: GradRule = (g) => {
  const [x, slope] = g.node.inputs as [string, string]
  const dy = g.dy[0]!
  const isAbove = above(g, x)
  const dSlope = () => choose(g, isAbove, number(g, 0), mul(g, dy, x))
  return [
    g.wants(0) ? choose(g, isAbove, dy, mul(g, dy, slope)) : null,
    g.wants(1) ? unbroadcast(g, dSlope(), 1, shapeOfOutput(g)) : null,
  ]
}

/** Below 0, y = α (eˣ − 1): y′ = y + α */
export const eluGrad = unaryRule((g, { x, y, dy }) =>
  choose(g, above(g, x), dy, mul(g, dy, add(g, y, number(g, floatAttr(g.node, 'alpha', 1))))),
)
/** y′ = γ above 0; below, y = γ α (eˣ − 1): y′ = y + γ α (Klambauer et al. 2017) */
export const seluGrad = unaryRule((g, { x, y, dy }) => {
  const alpha = floatAttr(g.node, 'alpha', 1.6732632)
  const gamma = floatAttr(g.node, 'gamma', 1.050701)
  return mul(g, dy, choose(g, above(g, x), number(g, gamma), add(g, y, number(g, alpha * gamma))))
})
/** Below 0, y = α (exp(x/α) − 1): y′ = y/α + 1 */
export const celuGrad = unaryRule((g, { x, y, dy }) => {
  const alpha = number(g, floatAttr(g.node, 'alpha', 1))
  return choose(g, above(g, x), dy, mul(g, dy, add(g, div(g, y, alpha), one(g))))
})

/** y′ = y (1 − y) */
export const sigmoidGrad = unaryRule((g, { y, dy }) => mul(g, mul(g, dy, y), sub(g, one(g), y)))
/** y′ = 1 − y² */
export const tanhGrad = unaryRule((g, { y, dy }) => mul(g, dy, sub(g, one(g), mul(g, y, y))))

/** 1 where a HardSigmoid's result lies between its ends. */
const isBetween = (g: GradCall, h: string): string =>
  floatCast(g, op(g, 'And', [above(g, h), op(g, 'Less', [h, one(g)])]))

/** y′ = α between the ends */
export const hardSigmoidGrad = unaryRule((g, { y, dy }) =>
  mul(g, dy, mul(g, isBetween(g, y), number(g, floatAttr(g.node, 'alpha', 0.2)))),
)
/** y = x h with h = clip(x/6 + 1/2): y′ = h + x h′ */
export const hardSwishGrad = unaryRule((g, { x, dy }) => {
  const h = op(g, 'HardSigmoid', [x], { alpha: float(1 / 6), beta: float(0.5) })
  return mul(g, dy, add(g, h, mul(g, isBetween(g, h), mul(g, x, number(g, 1 / 6)))))
})

export const softplusGrad = unaryRule((g, { x, dy }) => mul(g, dy, sigmoid(g, x)))
/** y′ = 1 / (1 + |x|)² */
export const softsignGrad = unaryRule((g, { x, dy }) => {
  const d = add(g, one(g), op(g, 'Abs', [x]))
  return div(g, dy, mul(g, d, d))
})

/** y = x Φ(x): y′ = Φ(x) + x φ(x); or its approximation by tanh (Hendrycks and Gimpel 2016). */
export const geluGrad = unaryRule((g, { x, dy }) =>
  mul(g, dy, stringAttr(g.node, 'approximate', 'none') === 'tanh' ? tanhGeluSlope(g, x) : geluSlope(g, x)),
)
function geluSlope(g: GradCall, x: string): string {
  const half = number(g, 0.5)
  const phi = mul(g, half, add(g, one(g), op(g, 'Erf', [mul(g, x, number(g, Math.SQRT1_2))])))
  const density = mul(g, op(g, 'Exp', [mul(g, mul(g, x, x), number(g, -0.5))]), number(g, 1 / Math.sqrt(2 * Math.PI)))
  return add(g, phi, mul(g, x, density))
}
/** With u = c (x + k x³) and t = tanh u: y′ = (1 + t)/2 + x (1 − t²) c (1 + 3 k x²)/2 */
function tanhGeluSlope(g: GradCall, x: string): string {
  const [c, k] = [Math.sqrt(2 / Math.PI), 0.044715]
  const x2 = mul(g, x, x)
  const u = mul(g, mul(g, x, number(g, c)), add(g, one(g), mul(g, x2, number(g, k))))
  const t = op(g, 'Tanh', [u])
  const inner = mul(g, number(g, c / 2), add(g, one(g), mul(g, x2, number(g, 3 * k))))
  const bend = mul(g, mul(g, x, sub(g, one(g), mul(g, t, t))), inner)
  return add(g, mul(g, number(g, 0.5), add(g, one(g), t)), bend)
}

/** y = x tanh(softplus x) = x w: y′ = w + x (1 − w²) σ(x) */
export const mishGrad = unaryRule((g, { x, dy }) => {
  const w = op(g, 'Tanh', [op(g, 'Softplus', [x])])
  const bend = mul(g, mul(g, x, sigmoid(g, x)), sub(g, one(g), mul(g, w, w)))
  return mul(g, dy, add(g, w, bend))
})
/** y = x σ(αx) = x s: y′ = s + α y (1 − s) */
export const swishGrad = unaryRule((g, { x, y, dy }) => {
  const alpha = number(g, floatAttr(g.node, 'alpha', 1))
  const s = sigmoid(g, mul(g, x, alpha))
  return mul(g, dy, add(g, s, mul(g, mul(g, alpha, y), sub(g, one(g), s))))
})

/** Elements that pass as they are. Bounds get no gradient. */
export const clipGrad = unaryRule((g, { x, y, dy }) => mul(g, dy, floatCast(g, op(g, 'Equal', [x, y]))))
export const thresholdedReluGrad = unaryRule((g, { x, dy }) =>
  mul(g, dy, floatCast(g, above(g, x, floatAttr(g.node, 'alpha', 1)))),
)
/** y′ = [|x| > λ] */
export const shrinkGrad = unaryRule((g, { x, dy }) =>
  mul(g, dy, floatCast(g, above(g, op(g, 'Abs', [x]), floatAttr(g.node, 'lambd', 0.5)))),
)

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
