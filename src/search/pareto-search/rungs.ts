/**
 * Successive halving (Jamieson and Talwalkar 2016): every recipe is tried on a cheap rung, and the best of each rung
 * go on to the next, where it is recovered for longer, judged on more samples and timed for longer.
 */

import { findTransform } from '../../compress/index.js'
import type { Bench } from '../evaluate.js'
import type { Step } from '../trial.js'
import { stageOf } from './space.js'

export interface Rung {
  /** Of the steps of a recovery, the samples that judge and the time that is measured. */
  readonly share: number
  /** How far beyond the budget a candidate may be and go on: a short recovery costs quality, and few samples tell little. */
  readonly slack: number
  /** The part of a rung that goes on to the next. */
  readonly kept: number
}

export const RUNGS: readonly Rung[] = [
  { share: 1 / 9, slack: 4, kept: 1 / 3 },
  { share: 1 / 3, slack: 2, kept: 1 / 2 },
  { share: 1, slack: 1, kept: 0 },
]

/** Recipes of a bracket: of these four reach the second rung, and two the last. */
export const BRACKET = 12

/** Least samples that judge, rounds and milliseconds. */
const LEAST = { samples: 32, rounds: 5, budgetMs: 10 }

/** The recipe as a rung tries it: a recipe of its own, with shorter recoveries. */
export const onRung = (steps: readonly Step[], { share }: Rung): readonly Step[] =>
  steps.map((step) => {
    if (share === 1 || stageOf(step.transform) !== 'recover') return step
    const full = step.params.steps ?? findTransform(step.transform).params.steps?.default
    if (typeof full !== 'number') return step
    return { ...step, params: { ...step.params, steps: Math.max(1, Math.round(full * share)) } }
  })

export const benchOn = <B extends Bench>(bench: B, { share }: Rung): B =>
  share === 1
    ? bench
    : {
        ...bench,
        measure: {
          rounds: Math.max(LEAST.rounds, Math.round(bench.measure.rounds * share)),
          budgetMs: Math.max(LEAST.budgetMs, bench.measure.budgetMs * share),
        },
      }

/** Undefined: all of them. */
export const samplesOn = ({ share }: Rung, heldOut: number): number | undefined =>
  share === 1 ? undefined : Math.max(LEAST.samples, Math.round(heldOut * share))
