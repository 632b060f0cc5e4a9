/** Gradients of arithmetic that broadcasts. */

import type { GradCall, GradRule } from '../def.js'
import { div, mul, neg, shapeOfOutput, unbroadcast } from './tools.js'

/** Names of a rule's two inputs and output, and the gradient of the latter. */
const sides = (g: GradCall) => ({
  a: g.node.inputs[0]!,
  b: g.node.inputs[1]!,
  y: g.node.outputs[0]!,
  dy: g.dy[0]!,
})

/** The gradients of both inputs of a broadcasting op, each made (in the output's shape) only where asked for. */
const both =
  (left: (g: GradCall) => string, right: (g: GradCall) => string): GradRule =>
  (g) => {
    const from = shapeOfOutput(g)
    return [left, right].map((make, i) => (g.wants(i) ? unbroadcast(g, make(g), i, from) : null))
  }

const dyOf = (g: GradCall): string => g.dy[0]!

export const addGrad = both(dyOf, dyOf)
export const subGrad = both(dyOf, (g) => neg(g, dyOf(g)))
export const mulGrad = both(
  (g) => mul(g, sides(g).dy, sides(g).b),
  (g) => mul(g, sides(g).dy, sides(g).a),
)
/** d(a/b) = da / b − y db / b */
export const divGrad = both(
  (g) => div(g, sides(g).dy, sides(g).b),
  (g) => neg(g, div(g, mul(g, sides(g).dy, sides(g).y), sides(g).b)),
)
/** Sum of any number of inputs that broadcast. */
export const sumGrad: GradRule = (g) => {
  const from = shapeOfOutput(g)
  return g.node.inputs.map((_, i) => (g.wants(i) ? unbroadcast(g, g.dy[0]!, i, from) : null))
}
