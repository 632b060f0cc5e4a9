/** Adam (Kingma and Ba 2015, algorithm 1), and AdamW with weight decay apart from the gradient (Loshchilov and Hutter 2019). */

import type { Optimizer } from './optimizer.js'

export interface AdamOptions {
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
  /** AdamW's λ: w loses η λ w a step, whatever the gradient. Default 0: plain Adam. */
  readonly weightDecay?: number
}

/**
 * m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; w ← w − η m̂ / (√v̂ + ε), written as in the paper's last paragraph of
 * section 2: w − α m / (√v + ε̂) with α = η √(1 − β₂ᵗ) / (1 − β₁ᵗ) and ε̂ = ε √(1 − β₂ᵗ).
 */
export function adam({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 }: AdamOptions = {}): Optimizer {
  return {
    name: weightDecay === 0 ? 'adam' : 'adamw',
    learningRate: 1e-3,
    slots: ['mean', 'square'],
    shared(b, { learningRate, step }) {
      const left = (beta: number): string => b.op('Sub', [b.number(1), b.op('Pow', [b.number(beta), step])])
      const root = b.op('Sqrt', [left(beta2)])
      return [
        b.op('Div', [b.op('Mul', [learningRate, root]), left(beta1)]),
        b.op('Mul', [root, b.number(epsilon)]),
        b.number(beta1),
        b.number(1 - beta1),
        b.number(beta2),
        b.number(1 - beta2),
        b.op('Sub', [b.number(1), b.op('Mul', [learningRate, b.number(weightDecay)])]),
      ]
    },
    update(b, { parameter, gradient, slots }, _, shared) {
      const [rate, small, keep1, take1, keep2, take2, decay] = shared as readonly [string, ...string[]]
      const mean = b.op('Add', [b.op('Mul', [slots[0]!, keep1!]), b.op('Mul', [gradient, take1!])])
      const squared = b.op('Mul', [gradient, gradient])
      const square = b.op('Add', [b.op('Mul', [slots[1]!, keep2!]), b.op('Mul', [squared, take2!])])
      const direction = b.op('Div', [mean, b.op('Add', [b.op('Sqrt', [square]), small!])])
      const kept = weightDecay === 0 ? parameter : b.op('Mul', [parameter, decay!])
      return { parameter: b.op('Sub', [kept, b.op('Mul', [direction, rate])]), slots: [mean, square] }
    },
  }
}
