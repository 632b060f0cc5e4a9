/**
 * The minimax concave penalty (Zhang 2010, eq. 2.3): λ|w| − w²/2γ up to |w| = γλ, constant beyond, so that large
 * weights are not shrunk.
 */

import type { Builder } from '../ir/builder.js'
import { PareError } from '../util/errors.js'
import { checkStrength } from './l1.js'
import { emitSoftThreshold, type Penalty, softThreshold, sum } from './penalty.js'

/** `gamma` above the steps of the proximal method (learning rates): with smaller ones the step has no unique answer. */
export function mcp(lambda: number, gamma = 3): Penalty {
  checkStrength('mcp', lambda)
  checkShape('mcp', gamma, 1)
  const cost = (w: number): number => {
    const size = Math.abs(w)
    return size <= gamma * lambda ? lambda * size - (w * w) / (2 * gamma) : (gamma * lambda * lambda) / 2
  }
  return {
    name: 'mcp',
    maxStep: gamma,
    value: (weights) => weights.reduce((total, w) => total + cost(w), 0),
    prox(weights, step) {
      checkStep('mcp', step, gamma)
      for (let j = 0; j < weights.length; j++) {
        const w = weights[j]!
        if (Math.abs(w) <= gamma * lambda) weights[j] = softThreshold(w, step * lambda) / (1 - step / gamma)
      }
    },
    emit(b, { name }) {
      const clipped = b.op('Min', [b.op('Abs', [name]), b.number(gamma * lambda)])
      const bend = b.op('Mul', [b.op('Mul', [clipped, clipped]), b.number(1 / (2 * gamma))])
      return sum(b, b.op('Sub', [b.op('Mul', [clipped, b.number(lambda)]), bend]))
    },
    emitProx(b, { name }, step) {
      const soft = emitSoftThreshold(b, name, b.op('Mul', [step, b.number(lambda)]))
      const grown = b.op('Div', [soft, b.op('Sub', [b.number(1), b.op('Div', [step, b.number(gamma)])])])
      return b.op('Where', [isWithin(b, name, gamma * lambda), grown, name])
    },
  }
}

/** Its derivative at |w| = size: from λ at zero down to 0 at γλ. */
export const mcpSlope = (size: number, lambda: number, gamma: number): number => Math.max(0, lambda - size / gamma)

export const isWithin = (b: Builder, weight: string, bound: number): string =>
  b.op('LessOrEqual', [b.op('Abs', [weight]), b.number(bound)])

/** Throws `PENALTY_SHAPE` unless the shape parameter is above what keeps the proximal step unique. */
export function checkShape(where: string, gamma: number, above: number): void {
  if (Number.isFinite(gamma) && gamma > above) return
  throw new PareError('PENALTY_SHAPE', `gamma is a finite number above ${above}`, {
    where,
    value: gamma,
    remedy: 'Give e.g. 3.7.',
  })
}

/** Throws `PENALTY_STEP` where a step is too long for the penalty's curvature. */
export function checkStep(where: string, step: number, below: number): void {
  if (step < below) return
  throw new PareError('PENALTY_STEP', `the step of this penalty must be below ${below}`, {
    where,
    value: step,
    remedy: 'Make the step shorter or gamma larger.',
  })
}
