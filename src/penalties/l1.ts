/** The lasso's penalty λ Σ ωⱼ |wⱼ| (Tibshirani 1996), with weights ω where given (Zou 2006). */

import { f32 } from '../ir/tensor.js'
import { PareError } from '../util/errors.js'
import { emitSoftThreshold, number, type Penalty, softThreshold, sum } from './penalty.js'

/**
 * `factors`: ω, one for each weight in row-major order (a training graph takes them in the weight's shape); 1 unless
 * given. An infinite one keeps its weight at zero, 0 leaves it free.
 */
export function l1(lambda: number, factors?: ArrayLike<number>): Penalty {
  checkStrength('l1', lambda)
  const factor = (j: number): number => (factors === undefined ? 1 : factors[j]!)
  return {
    name: 'l1',
    value: (weights) => lambda * weights.reduce((total, w, j) => total + (w === 0 ? 0 : factor(j) * Math.abs(w)), 0),
    prox(weights, step) {
      for (let j = 0; j < weights.length; j++) weights[j] = softThreshold(weights[j]!, step * lambda * factor(j))
    },
    emit: (b, weight) => {
      const sizes = b.op('Abs', [weight])
      return b.op('Mul', [
        sum(b, factors ? b.op('Mul', [sizes, shaped(b, factors, weight)]) : sizes),
        number(b, lambda),
      ])
    },
    emitProx(b, weight, step) {
      const threshold = b.op('Mul', [step, number(b, lambda)])
      return emitSoftThreshold(b, weight, factors ? b.op('Mul', [threshold, shaped(b, factors, weight)]) : threshold)
    },
  }
}

/** ω in the shape of the weight. */
function shaped(b: Parameters<Penalty['emit']>[0], factors: ArrayLike<number>, weight: string): string {
  const all = b.constant(f32([factors.length], Float32Array.from(factors)), 'factors')
  return b.op('Reshape', [all, b.op('Shape', [weight])])
}

/** Throws `PENALTY_STRENGTH` unless the strength is a finite number of at least 0. */
export function checkStrength(where: string, lambda: number): void {
  if (Number.isFinite(lambda) && lambda >= 0) return
  throw new PareError('PENALTY_STRENGTH', 'the strength of a penalty is a finite number of at least 0', {
    where,
    value: lambda,
    remedy: 'Give e.g. 1e-4.',
  })
}
