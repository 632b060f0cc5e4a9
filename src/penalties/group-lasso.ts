/** The group lasso λ Σ √n_g ‖w_g‖ (Yuan and Lin 2006): whole groups, a filter or a row, become exactly zero. */

import { int } from '../ir/attrs.js'
import type { Builder } from '../ir/builder.js'
import { elementCount, i64 } from '../ir/tensor.js'
import { checkStrength } from './l1.js'
import { type GraphWeight, type Penalty, sum } from './penalty.js'

/** In a graph a group is what belongs to one output channel; in `value` they are `groupSize` weights each, one group unless given. */
export function groupLasso(lambda: number): Penalty {
  checkStrength('group-lasso', lambda)
  const norm = (w: Float64Array): number => Math.sqrt(w.reduce((total, v) => total + v * v, 0))
  return {
    name: 'group-lasso',
    value(weights, groupSize = weights.length) {
      let total = 0
      for (let at = 0; at < weights.length; at += groupSize) total += norm(weights.subarray(at, at + groupSize))
      return lambda * Math.sqrt(groupSize) * total
    },
    prox(weights, step) {
      const size = norm(weights)
      const threshold = step * lambda * Math.sqrt(weights.length)
      const factor = size <= threshold ? 0 : 1 - threshold / size
      for (let j = 0; j < weights.length; j++) weights[j]! *= factor
    },
    emit: (b, weight) => b.op('Mul', [sum(b, norms(b, weight)), b.number(lambda * rootOfSize(weight))]),
    emitProx(b, weight, step) {
      const sizes = norms(b, weight)
      const threshold = b.op('Mul', [step, b.number(lambda * rootOfSize(weight))])
      // max(‖w‖ − t, 0) / max(‖w‖, tiny): no group divides by zero.
      const kept = b.op('Relu', [b.op('Sub', [sizes, threshold])])
      return b.op('Mul', [weight.name, b.op('Div', [kept, b.op('Max', [sizes, b.number(1e-30)])])])
    },
  }
}

/** ‖w_g‖ of each group, on axes of length 1 but for that of the channels. */
function norms(b: Builder, { name, shape, channelAxis }: GraphWeight): string {
  const others = shape.flatMap((_, axis) => (axis === channelAxis ? [] : [axis]))
  // Without axes ReduceL2 would take all of them, where a vector's elements are groups by themselves.
  if (others.length === 0) return b.op('Abs', [name])
  return b.op('ReduceL2', [name, b.constant(i64([others.length], others), 'axes')], { attrs: { keepdims: int(1) } })
}

/** √ of how many weights a group has. */
const rootOfSize = ({ shape, channelAxis }: GraphWeight): number =>
  Math.sqrt(elementCount(shape) / (shape[channelAxis] ?? 1))
