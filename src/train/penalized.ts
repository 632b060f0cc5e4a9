/** Which weights a penalty is on. */

import type { Model } from '../ir/types.js'
import type { Penalty } from '../penalties/penalty.js'
import { PareError } from '../util/errors.js'
import { matching } from './parameters.js'
import type { Penalized } from './pass.js'

export interface PenaltyChoice {
  readonly penalty: Penalty
  /** Patterns of the weights it is on. Default: those with at least two axes, so not biases. */
  readonly on?: readonly string[]
  /** As a step of its own after each update, so that weights become exactly zero. Default: of all but `l2`. */
  readonly proximal?: boolean
}

export const isProximal = ({ penalty, proximal = penalty.name !== 'l2' }: PenaltyChoice): boolean => proximal

/** Throws `TRAIN_PENALTY` where it is on none that is trained. */
export function penalized(model: Model, trainable: readonly string[], choice: PenaltyChoice): Penalized {
  const { penalty, on } = choice
  const chosen = on === undefined ? null : new Set(matching(model, on))
  const isOn = (name: string): boolean => chosen?.has(name) ?? model.graph.constants.get(name)!.shape.length >= 2
  const weights = trainable.filter(isOn)
  if (weights.length > 0) return { penalty, weights, proximal: isProximal(choice) }
  throw new PareError('TRAIN_PENALTY', `the penalty ${penalty.name} is on no weight that is trained`, {
    value: on ?? 'weights of two axes and more',
    remedy: 'Name the weights with `on`; `pare inspect` lists them.',
  })
}

export const nothingToTrain = (): PareError =>
  new PareError('TRAIN_FROZEN', 'nothing is left to train', {
    remedy: 'Freeze fewer weights; `pare inspect` lists them.',
  })
