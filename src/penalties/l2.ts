/** The ridge's penalty λ/2 Σ wⱼ² (Hoerl and Kennard 1970): its gradient is λ w, which is called weight decay. */

import { checkStrength } from './l1.js'
import { number, type Penalty, sum } from './penalty.js'

export function l2(lambda: number): Penalty {
  checkStrength('l2', lambda)
  return {
    name: 'l2',
    value: (weights) => (lambda / 2) * weights.reduce((total, w) => total + w * w, 0),
    prox(weights, step) {
      for (let j = 0; j < weights.length; j++) weights[j]! /= 1 + step * lambda
    },
    emit: (b, weight) => b.op('Mul', [sum(b, b.op('Mul', [weight, weight])), number(b, lambda / 2)]),
    emitProx: (b, weight, step) =>
      b.op('Div', [weight, b.op('Add', [number(b, 1), b.op('Mul', [step, number(b, lambda)])])]),
  }
}
