/** Optimizers that scale each weight's step by what its gradients were: RMSProp and Adagrad; and Lion, by their signs. */

import type { Builder } from '../../ir/builder.js'
import type { Optimizer } from './optimizer.js'

const mul = (b: Builder, x: string, y: string): string => b.op('Mul', [x, y])
const add = (b: Builder, x: string, y: string): string => b.op('Add', [x, y])

/** w − η g / (√s + ε) */
const scaledStep = (b: Builder, w: string, g: string, s: string, rate: string, epsilon: string): string =>
  b.op('Sub', [w, mul(b, rate, b.op('Div', [g, add(b, b.op('Sqrt', [s]), epsilon)]))])

export interface RmspropOptions {
  /** How much of the mean square stays at each step. */
  readonly rho?: number
  readonly epsilon?: number
}

/** s ← ρ s + (1 − ρ) g²; w ← w − η g / (√s + ε) (Tieleman and Hinton 2012). */
export function rmsprop({ rho = 0.9, epsilon = 1e-8 }: RmspropOptions = {}): Optimizer {
  return {
    name: 'rmsprop',
    learningRate: 1e-3,
    slots: ['square'],
    shared: (b) => [b.number(rho), b.number(1 - rho), b.number(epsilon)],
    update(b, { parameter, gradient, slots }, { learningRate }, shared) {
      const [keep, take, small] = shared as readonly [string, string, string]
      const square = add(b, mul(b, slots[0]!, keep), mul(b, mul(b, gradient, gradient), take))
      return { parameter: scaledStep(b, parameter, gradient, square, learningRate, small), slots: [square] }
    },
  }
}

/** s ← s + g²; w ← w − η g / (√s + ε) (Duchi et al. 2011). */
export function adagrad({ epsilon = 1e-10 }: { readonly epsilon?: number } = {}): Optimizer {
  return {
    name: 'adagrad',
    learningRate: 1e-2,
    slots: ['square'],
    shared: (b) => [b.number(epsilon)],
    update(b, { parameter, gradient, slots }, { learningRate }, [small]) {
      const square = add(b, slots[0]!, mul(b, gradient, gradient))
      return { parameter: scaledStep(b, parameter, gradient, square, learningRate, small!), slots: [square] }
    },
  }
}

export interface LionOptions {
  readonly beta1?: number
  readonly beta2?: number
  readonly weightDecay?: number
}

/** w ← w − η (sign(β₁ m + (1 − β₁) g) + λ w); m ← β₂ m + (1 − β₂) g (Chen et al. 2023, algorithm 2). */
export function lion({ beta1 = 0.9, beta2 = 0.99, weightDecay = 0 }: LionOptions = {}): Optimizer {
  return {
    name: 'lion',
    learningRate: 1e-4,
    slots: ['mean'],
    shared: (b) => [beta1, 1 - beta1, beta2, 1 - beta2, weightDecay].map((v) => b.number(v)),
    update(b, { parameter, gradient, slots }, { learningRate }, shared) {
      const [keep1, take1, keep2, take2, decay] = shared as readonly [string, string, string, string, string]
      const sign = b.op('Sign', [add(b, mul(b, slots[0]!, keep1), mul(b, gradient, take1))])
      const along = weightDecay === 0 ? sign : add(b, sign, mul(b, parameter, decay))
      const mean = add(b, mul(b, slots[0]!, keep2), mul(b, gradient, take2))
      return { parameter: b.op('Sub', [parameter, mul(b, along, learningRate)]), slots: [mean] }
    },
  }
}
