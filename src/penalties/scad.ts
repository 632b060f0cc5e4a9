/** The smoothly clipped absolute deviation (Fan and Li 2001, eq. 2.7): as the lasso near zero, constant beyond γλ. */

import { checkStrength } from './l1.js'
import { checkShape, checkStep, isWithin } from './mcp.js'
import { emitSoftThreshold, type Penalty, softThreshold, sum } from './penalty.js'

/** γ = 3.7 is the authors' choice. */
export function scad(lambda: number, gamma = 3.7): Penalty {
  checkStrength('scad', lambda)
  checkShape('scad', gamma, 2)
  const cost = (w: number): number => {
    const size = Math.abs(w)
    if (size <= lambda) return lambda * size
    if (size <= gamma * lambda) return (2 * gamma * lambda * size - size * size - lambda * lambda) / (2 * (gamma - 1))
    return (lambda * lambda * (gamma + 1)) / 2
  }
  return {
    name: 'scad',
    maxStep: gamma - 1,
    value: (weights) => weights.reduce((total, w) => total + cost(w), 0),
    prox(weights, step) {
      checkStep('scad', step, gamma - 1)
      for (let j = 0; j < weights.length; j++) {
        const w = weights[j]!
        const size = Math.abs(w)
        if (size <= lambda * (1 + step)) weights[j] = softThreshold(w, step * lambda)
        else if (size <= gamma * lambda)
          weights[j] = ((gamma - 1) * w - Math.sign(w) * step * gamma * lambda) / (gamma - 1 - step)
      }
    },
    emit(b, { name }) {
      const size = b.op('Abs', [name])
      // λ min(s, λ), and between λ and γλ the integral of (γλ − s)/(γ − 1).
      const near = b.op('Mul', [b.op('Min', [size, b.number(lambda)]), b.number(lambda)])
      const middle = b.op('Max', [b.op('Min', [size, b.number(gamma * lambda)]), b.number(lambda)])
      const left = b.op('Sub', [b.number(gamma * lambda), middle])
      const rest = b.op('Sub', [b.number((gamma * lambda - lambda) ** 2), b.op('Mul', [left, left])])
      return sum(b, b.op('Add', [near, b.op('Mul', [rest, b.number(1 / (2 * (gamma - 1)))])]))
    },
    emitProx(b, { name }, step) {
      const soft = emitSoftThreshold(b, name, b.op('Mul', [step, b.number(lambda)]))
      const pull = b.op('Mul', [b.op('Mul', [b.op('Sign', [name]), step]), b.number(gamma * lambda)])
      const top = b.op('Sub', [b.op('Mul', [name, b.number(gamma - 1)]), pull])
      const bent = b.op('Div', [top, b.op('Sub', [b.number(gamma - 1), step])])
      const bound = b.op('Mul', [b.op('Add', [step, b.number(1)]), b.number(lambda)])
      const isNear = b.op('LessOrEqual', [b.op('Abs', [name]), bound])
      return b.op('Where', [isNear, soft, b.op('Where', [isWithin(b, name, gamma * lambda), bent, name])])
    },
  }
}

/** Its derivative at |w| = size: λ up to λ, then down to 0 at γλ. */
export const scadSlope = (size: number, lambda: number, gamma: number): number =>
  size <= lambda ? lambda : Math.max(0, gamma * lambda - size) / (gamma - 1)
