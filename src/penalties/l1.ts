/** The lasso's penalty λ Σ ωⱼ |wⱼ| (Tibshirani 1996), with weights ω where given (Zou 2006). */

import type { Builder } from '../ir/builder.js'
import { elementCount } from '../ir/tensor.js'
import { PareError } from '../util/errors.js'
import { emitSoftThreshold, type GraphWeight, type Penalty, softThreshold, sum } from './penalty.js'

/**
 * `factors`: ω, one for each weight in row-major order (a training graph takes them in the weight's shape); 1 unless
 * given. An infinite one keeps its weight at zero, 0 leaves it free.
 */
export function l1(lambda: number, factors?: ArrayLike<number>): Penalty {
  checkStrength('l1', lambda)
  // Without strength an infinite factor asks for nothing either.
  const factor = (j: number): number => (factors === undefined || lambda === 0 ? 1 : factors[j]!)
  return {
    name: 'l1',
    value: (weights) => lambda * weights.reduce((total, w, j) => total + (w === 0 ? 0 : factor(j) * Math.abs(w)), 0),
    prox(weights, step) {
      for (let j = 0; j < weights.length; j++) weights[j] = softThreshold(weights[j]!, step * lambda * factor(j))
    },
    emit(b, weight) {
      const sizes = b.op('Abs', [weight.name])
      if (factors === undefined) return b.op('Mul', [sum(b, sizes), b.number(lambda)])
      const infinite = Array.from(factors).findIndex((v) => !Number.isFinite(v))
      if (infinite >= 0) throw needsProximal(weight.name, infinite)
      return b.op('Mul', [sum(b, b.op('Mul', [sizes, shaped(b, factors, weight)])), b.number(lambda)])
    },
    emitProx(b, weight, step) {
      const threshold = b.op('Mul', [step, b.number(lambda)])
      const each = factors ? b.op('Mul', [threshold, shaped(b, factors, weight)]) : threshold
      return emitSoftThreshold(b, weight.name, each)
    },
  }
}

/** ω in the shape of the weight. Throws `PENALTY_FACTORS` unless there is one for each element. */
function shaped(b: Builder, factors: ArrayLike<number>, { name, shape }: GraphWeight): string {
  if (factors.length === elementCount(shape))
    return b.constant(b.tensor(shape, Float64Array.from(factors, finite)), 'factors')
  throw new PareError('PENALTY_FACTORS', 'there is one factor for each weight', {
    where: name,
    value: `${factors.length} factors, ${elementCount(shape)} weights`,
    remedy: 'Name the weight that they belong to with `on`.',
  })
}

/** Infinity times a step of 0 would be NaN; this keeps a weight at zero as well. */
const finite = (factor: number): number => (factor === Number.POSITIVE_INFINITY ? 1e30 : factor)

const needsProximal = (where: string, index: number): PareError =>
  new PareError('PENALTY_FACTORS', 'an infinite factor has no gradient', {
    where: `${where}, factor ${index}`,
    remedy: 'Leave `proximal` on, or give finite factors.',
  })

/** Throws `PENALTY_STRENGTH` unless the strength is a finite number of at least 0. */
export function checkStrength(where: string, lambda: number): void {
  if (Number.isFinite(lambda) && lambda >= 0) return
  throw new PareError('PENALTY_STRENGTH', 'the strength of a penalty is a finite number of at least 0', {
    where,
    value: lambda,
    remedy: 'Give e.g. 1e-4.',
  })
}
