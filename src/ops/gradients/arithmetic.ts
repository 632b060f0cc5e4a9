/** Gradients of arithmetic that broadcasts. */

import type { GradCall, GradRule } from '../def.js'
import { div, floatCast, mul, neg, number, op, shapeOfOutput, sub, unbroadcast } from './tools.js'

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
/** d(xᵖ) = p xᵖ⁻¹ dx + y ln x dp, the second where x > 0. */
export const powGrad = both(
  (g) => {
    const [x, p] = [sides(g).a, floatCast(g, sides(g).b)]
    const one = number(g, 1)
    return mul(g, mul(g, sides(g).dy, p), op(g, 'Pow', [x, sub(g, p, one)]))
  },
  (g) => {
    const { a, y, dy } = sides(g)
    const isPositive = op(g, 'Greater', [a, number(g, 0)])
    return mul(g, dy, op(g, 'Where', [isPositive, mul(g, y, op(g, 'Log', [a])), number(g, 0)]))
  },
)

/** d(a − b trunc(a/b)) = da − trunc(a/b) db */
export const modGrad = both(dyOf, (g) => {
  const { a, b, y, dy } = sides(g)
  return neg(g, mul(g, dy, div(g, sub(g, a, y), b)))
})

/** Sum of any number of inputs that broadcast; the mean is that over their number. */
const shared =
  (share: (g: GradCall) => string): GradRule =>
  (g) => {
    const from = shapeOfOutput(g)
    const dy = share(g)
    return g.node.inputs.map((_, i) => (g.wants(i) ? unbroadcast(g, dy, i, from) : null))
  }
export const sumGrad = shared(dyOf)
export const meanGrad = shared((g) => div(g, dyOf(g), number(g, g.node.inputs.length)))

/** To the inputs that equal the result; where several do, each gets its share. */
export const extremeGrad: GradRule = (g) => {
  const [y, dy] = [g.node.outputs[0]!, dyOf(g)]
  if (g.node.inputs.length === 1) return [dy]
  const from = shapeOfOutput(g)
  const isIt = g.node.inputs.map((x) => floatCast(g, op(g, 'Equal', [x, y])))
  const share = div(g, dy, op(g, 'Sum', isIt))
  return isIt.map((mask, i) => (g.wants(i) ? unbroadcast(g, mul(g, share, mask), i, from) : null))
}

/** Of Where(c, x, y). */
export const whereGrad: GradRule = (g) => {
  const [condition] = g.node.inputs as [string]
  const from = shapeOfOutput(g)
  const [zero, dy] = [number(g, 0), dyOf(g)]
  const chosen = (i: 1 | 2): string => op(g, 'Where', [condition, ...(i === 1 ? [dy, zero] : [zero, dy])])
  return [null, ...([1, 2] as const).map((i) => (g.wants(i) ? unbroadcast(g, chosen(i), i, from) : null))]
}
