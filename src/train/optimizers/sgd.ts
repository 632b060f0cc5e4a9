/** Gradient descent, plain or with momentum (Polyak 1964) and Nesterov's look-ahead (Sutskever et al. 2013). */

import type { Optimizer } from './optimizer.js'

export interface SgdOptions {
  /** Share of the last step that goes on in this one. Default 0. */
  readonly momentum?: number
  readonly nesterov?: boolean
}

/** v ← μ v + g; w ← w − η v, or with `nesterov` w − η (g + μ v). */
export function sgd({ momentum = 0, nesterov = false }: SgdOptions = {}): Optimizer {
  const step = { name: 'sgd', learningRate: 0.1 } as const
  if (momentum === 0) {
    return {
      ...step,
      slots: [],
      update: (b, { parameter, gradient }, { learningRate }) => ({
        parameter: b.op('Sub', [parameter, b.op('Mul', [gradient, learningRate])]),
        slots: [],
      }),
    }
  }
  return {
    ...step,
    slots: ['velocity'],
    shared: (b) => [b.number(momentum, 'momentum')],
    update(b, { parameter, gradient, slots }, { learningRate }, [mu]) {
      const velocity = b.op('Add', [b.op('Mul', [slots[0]!, mu!]), gradient])
      const along = nesterov ? b.op('Add', [gradient, b.op('Mul', [velocity, mu!])]) : velocity
      return { parameter: b.op('Sub', [parameter, b.op('Mul', [along, learningRate])]), slots: [velocity] }
    },
  }
}
