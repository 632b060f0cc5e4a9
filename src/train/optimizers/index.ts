/** All optimizers, by name too. */

import { adam } from './adam.js'
import { adagrad, lion, rmsprop } from './adaptive.js'
import type { Optimizer } from './optimizer.js'
import { sgd } from './sgd.js'

export { adagrad, adam, lion, rmsprop, sgd }

export const OPTIMIZERS = {
  sgd: () => sgd(),
  momentum: () => sgd({ momentum: 0.9 }),
  nesterov: () => sgd({ momentum: 0.9, nesterov: true }),
  adam: () => adam(),
  adamw: () => adam({ weightDecay: 0.01 }),
  rmsprop: () => rmsprop(),
  adagrad: () => adagrad(),
  lion: () => lion(),
} as const satisfies Readonly<Record<string, () => Optimizer>>
