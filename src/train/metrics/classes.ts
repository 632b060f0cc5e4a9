/** Metrics of class scores. */

import { PareError } from '../../util/errors.js'
import type { Answers, TrainMetric } from './metric.js'

interface Share {
  right: number
  count: number
}

/** The share of samples whose class has one of the k largest scores; of equal scores the first is the larger. */
export function topK(k: number): TrainMetric {
  if (!(Number.isSafeInteger(k) && k > 0)) {
    throw new PareError('TRAIN_METRIC', 'the right class is among a whole number of classes, at least 1', {
      where: 'top-k',
      value: k,
      remedy: 'Give e.g. 5.',
    })
  }
  return {
    name: k === 1 ? 'accuracy' : `top-${k}`,
    of: 'classes',
    moreIsBetter: true,
    refuses: (width) =>
      k === 1 || k < width ? null : `of ${width} classes the right one is always among the first ${k}`,
    start: () => ({ right: 0, count: 0 }),
    add(state, { outputs, targets, width }) {
      for (let row = 0; row < targets.length; row++) {
        if (rankOf(outputs, row * width, width, targets[row]!) < k) state.right++
      }
      state.count += targets.length
    },
    value: ({ right, count }) => right / count,
  } satisfies TrainMetric<Share>
}

/** The share of samples whose class has the largest score. */
export const accuracy = (): TrainMetric => topK(1)

/** How many scores of a row come before that of a class. */
function rankOf(scores: ArrayLike<number>, from: number, width: number, wanted: number): number {
  const own = scores[from + wanted]!
  let before = Number.isNaN(own) ? width : 0
  for (let i = 0; i < width; i++) {
    const other = scores[from + i]!
    if (other > own || (other === own && i < wanted)) before++
  }
  return before
}

/** By class. */
interface Tallies {
  /** Samples of it that were given it. */
  readonly right: Float64Array
  /** Samples of it. */
  readonly actual: Float64Array
  /** Samples that were given it. */
  readonly predicted: Float64Array
}

const tallies = (width: number): Tallies => ({
  right: new Float64Array(width),
  actual: new Float64Array(width),
  predicted: new Float64Array(width),
})

function tally({ right, actual, predicted }: Tallies, { outputs, targets, width }: Answers): void {
  for (let row = 0; row < targets.length; row++) {
    let top = 0
    for (let i = 1; i < width; i++) if (outputs[row * width + i]! > outputs[row * width + top]!) top = i
    predicted[top]!++
    actual[targets[row]!]!++
    if (top === targets[row]) right[top]!++
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length

/**
 * The mean over classes of F1 = 2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall (van Rijsbergen
 * 1979, chapter 7, at β = 1); classes that neither occur nor are predicted are left out, as scikit-learn does.
 */
export const macroF1 = (): TrainMetric =>
  ({
    name: 'macro-f1',
    of: 'classes',
    moreIsBetter: true,
    start: tallies,
    add: tally,
    value: ({ right, actual, predicted }) =>
      mean(
        [...right].flatMap((r, i) => (actual[i]! + predicted[i]! > 0 ? [(2 * r) / (actual[i]! + predicted[i]!)] : [])),
      ),
  }) satisfies TrainMetric<Tallies>

/** The mean over the classes that occur of the share of their samples that are right (Brodersen et al. 2010). */
export const balancedAccuracy = (): TrainMetric =>
  ({
    name: 'balanced-accuracy',
    of: 'classes',
    moreIsBetter: true,
    start: tallies,
    add: tally,
    value: ({ right, actual }) => mean([...right].flatMap((r, i) => (actual[i]! > 0 ? [r / actual[i]!] : []))),
  }) satisfies TrainMetric<Tallies>
