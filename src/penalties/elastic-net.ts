/** The elastic net's penalty λ Σ (ρ |wⱼ| + (1 − ρ)/2 wⱼ²) (Zou and Hastie 2005), ρ being `l1Ratio`. */

import { PareError } from '../util/errors.js'
import { l1 } from './l1.js'
import { l2 } from './l2.js'
import type { Penalty } from './penalty.js'

/** Its proximal step is that of the ridge after that of the lasso. */
export function elasticNet(lambda: number, l1Ratio = 0.5): Penalty {
  if (!(l1Ratio >= 0 && l1Ratio <= 1)) {
    throw new PareError('PENALTY_RATIO', 'l1Ratio lies between 0 and 1', { value: l1Ratio, remedy: 'Give e.g. 0.5.' })
  }
  const parts = [l1(lambda * l1Ratio), l2(lambda * (1 - l1Ratio))] as const
  return {
    name: 'elastic-net',
    value: (weights) => parts[0].value(weights) + parts[1].value(weights),
    prox: (weights, step) => {
      for (const part of parts) part.prox(weights, step)
    },
    emit: (b, weight) => b.op('Add', [parts[0].emit(b, weight), parts[1].emit(b, weight)]),
    emitProx: (b, weight, step) => parts[1].emitProx(b, { ...weight, name: parts[0].emitProx(b, weight, step) }, step),
  }
}
