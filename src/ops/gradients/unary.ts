/** Gradients of element-wise mathematics of one input. */

import type { GradCall } from '../def.js'
import { add, div, mul, neg, number, op, sub, unaryRule } from './tools.js'

const one = (g: GradCall): string => number(g, 1)
const square = (g: GradCall, x: string): string => mul(g, x, x)
const root = (g: GradCall, x: string): string => op(g, 'Sqrt', [x])

export const absGrad = unaryRule((g, { x, dy }) => mul(g, dy, op(g, 'Sign', [x])))
export const negGrad = unaryRule((g, { dy }) => neg(g, dy))
/** y′ = y */
export const expGrad = unaryRule((g, { y, dy }) => mul(g, dy, y))
/** y′ = 1 / x */
export const logGrad = unaryRule((g, { x, dy }) => div(g, dy, x))
/** y′ = 1 / 2y */
export const sqrtGrad = unaryRule((g, { y, dy }) => div(g, mul(g, dy, number(g, 0.5)), y))
/** y′ = −y² */
export const reciprocalGrad = unaryRule((g, { y, dy }) => neg(g, mul(g, dy, square(g, y))))
export const sinGrad = unaryRule((g, { x, dy }) => mul(g, dy, op(g, 'Cos', [x])))
export const cosGrad = unaryRule((g, { x, dy }) => neg(g, mul(g, dy, op(g, 'Sin', [x]))))
/** y′ = 1 + y² */
export const tanGrad = unaryRule((g, { y, dy }) => mul(g, dy, add(g, one(g), square(g, y))))
/** y′ = 1 / √(1 − x²) */
export const asinGrad = unaryRule((g, { x, dy }) => div(g, dy, root(g, sub(g, one(g), square(g, x)))))
export const acosGrad = unaryRule((g, { x, dy }) => neg(g, div(g, dy, root(g, sub(g, one(g), square(g, x))))))
/** y′ = 1 / (1 + x²) */
export const atanGrad = unaryRule((g, { x, dy }) => div(g, dy, add(g, one(g), square(g, x))))
export const sinhGrad = unaryRule((g, { x, dy }) => mul(g, dy, op(g, 'Cosh', [x])))
export const coshGrad = unaryRule((g, { x, dy }) => mul(g, dy, op(g, 'Sinh', [x])))
/** y′ = 1 / √(x² + 1) */
export const asinhGrad = unaryRule((g, { x, dy }) => div(g, dy, root(g, add(g, square(g, x), one(g)))))
/** y′ = 1 / √(x² − 1) */
export const acoshGrad = unaryRule((g, { x, dy }) => div(g, dy, root(g, sub(g, square(g, x), one(g)))))
/** y′ = 1 / (1 − x²) */
export const atanhGrad = unaryRule((g, { x, dy }) => div(g, dy, sub(g, one(g), square(g, x))))
/** y′ = 2/√π exp(−x²) */
export const erfGrad = unaryRule((g, { x, dy }) =>
  mul(g, dy, mul(g, number(g, 2 / Math.sqrt(Math.PI)), op(g, 'Exp', [neg(g, square(g, x))]))),
)
