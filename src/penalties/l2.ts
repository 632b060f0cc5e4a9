/** The ridge's penalty λ/2 Σ wⱼ² (Hoerl and Kennard 1970): its gradient is λ w, which is called weight decay. */

import { checkStrength } from './l1.js'
import { type Penalty, sum } from './penalty.js'

export function l2(lambda: number): Penalty {
  checkStrength('l2', lambda)
  return {
    name: 'l2',
    value: (weights) => (lambda / 2) * weights.reduce((total, w) => total + w * w, 0),
    prox(weights, step) {
      for (let j = 0; j < weights.length; j++) weights[j]! /= 1 + step * lambda
    },
    emit: (b, { name }) => b.op('Mul', [sum(b, b.op('Mul', [name, name])), b.number(lambda / 2)]),
    emitProx: (b, { name }, step) =>
      b.op('Div', [name, b.op('Add', [b.number(1), b.op('Mul', [step, b.number(lambda)])])]),
  }
}
