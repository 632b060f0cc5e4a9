/** The group lasso λ Σ √n_g ‖w_g‖ (Yuan and Lin 2006): whole groups, a filter or a row, become exactly zero. */

import type { Builder } from '../ir/builder.js'
import { i64 } from '../ir/tensor.js'
import { checkStrength } from './l1.js'
import { number, type Penalty, sum } from './penalty.js'

/** Groups lie along axis 0 of a weight; in `value` they are `groupSize` weights each, one group unless given. */
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
    emit(b, weight, rank) {
      const norms = b.op('ReduceL2', [weight, others(b, rank)], { attrs: { keepdims: { type: 'int', value: 1n } } })
      return b.op('Mul', [b.op('Mul', [sum(b, norms), rootOfSize(b, weight, norms)]), number(b, lambda)])
    },
    emitProx(b, weight, step, rank) {
      const norms = b.op('ReduceL2', [weight, others(b, rank)], { attrs: { keepdims: { type: 'int', value: 1n } } })
      const threshold = b.op('Mul', [b.op('Mul', [step, number(b, lambda)]), rootOfSize(b, weight, norms)])
      // max(‖w‖ − t, 0) / max(‖w‖, tiny): no group divides by zero.
      const kept = b.op('Relu', [b.op('Sub', [norms, threshold])])
      return b.op('Mul', [weight, b.op('Div', [kept, b.op('Max', [norms, number(b, 1e-30)])])])
    },
  }
}

/** Every axis but the first; of a vector, whose elements are groups by themselves, none. */
const others = (b: Builder, rank: number): string =>
  b.constant(
    i64(
      [Math.max(0, rank - 1)],
      Array.from({ length: Math.max(0, rank - 1) }, (_, i) => i + 1),
    ),
    'axes',
  )

/** √ of how many weights a group has. */
function rootOfSize(b: Builder, weight: string, norms: string): string {
  const count = (x: string): string => b.op('Cast', [b.op('Size', [x])], { attrs: { to: { type: 'int', value: 1n } } })
  return b.op('Sqrt', [b.op('Div', [count(weight), count(norms)])])
}
