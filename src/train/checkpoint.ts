/** Where training stands between two epochs: enough to go on as if it had not been stopped, bit for bit. */

import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { Score } from './evaluate.js'
import type { States } from './feeds.js'
import type { Epoch } from './loop.js'
import type { TrainingStep } from './step.js'

export interface Checkpoint {
  /** What was trained how; a run with other choices cannot go on from here. */
  readonly choices: string
  /** The score of the weights that were given. */
  readonly before?: Score
  readonly history: readonly Epoch[]
  readonly states: States
  readonly best: Best
  /** What the learning rate is multiplied by, where plateaus lower it; and the epoch of the last change. */
  readonly rate: { readonly factor: number; readonly since: number }
}

/** The states that were best so far, by the loss that judges. */
export interface Best {
  readonly epoch: number
  readonly loss: number
  readonly states: States
}

/** Throws `TRAIN_CHECKPOINT` unless a run can go on from there. */
export function checkCheckpoint(checkpoint: Checkpoint, step: TrainingStep, choices: string): void {
  if (checkpoint.choices !== choices) throw otherRun(checkpoint.choices, choices)
  for (const { name, initial } of step.states) {
    for (const states of [checkpoint.states, checkpoint.best.states]) {
      const kept = states.get(name)
      if (!kept || !isAlike(kept, initial)) throw otherRun(`no ${name} of its shape`, choices)
    }
  }
}

const isAlike = (a: Tensor, b: Tensor): boolean => a.dtype === b.dtype && a.shape.join() === b.shape.join()

const otherRun = (kept: string, now: string): PareError =>
  new PareError('TRAIN_CHECKPOINT', 'the checkpoint is of another run', {
    value: `${kept}; now ${now}`,
    remedy: 'Give the model, the data and the options that it was made with, or start anew.',
  })
