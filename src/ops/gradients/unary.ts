/** Gradients of element-wise mathematics of one input. */

import { div, mul, neg, unaryRule } from './tools.js'

export const negGrad = unaryRule((g, { dy }) => neg(g, dy))
/** y′ = y */
export const expGrad = unaryRule((g, { y, dy }) => mul(g, dy, y))
/** y′ = 1 / x */
export const logGrad = unaryRule((g, { x, dy }) => div(g, dy, x))
