/** Metrics of scores that say yes above 0. */

import type { TrainMetric } from './metric.js'

interface Decisions {
  truePositives: number
  /** FP + FN */
  wrong: number
}

/** F1 = 2 TP / (2 TP + FP + FN) of the positive class (van Rijsbergen 1979, chapter 7, at β = 1); 0 where that is 0/0. */
export const f1 = (): TrainMetric =>
  ({
    name: 'f1',
    of: 'binary',
    moreIsBetter: true,
    start: () => ({ truePositives: 0, wrong: 0 }),
    add(state, { outputs, targets }) {
      for (let i = 0; i < targets.length; i++) {
        const isPositive = targets[i] === 1
        if (outputs[i]! > 0 !== isPositive) state.wrong++
        else if (isPositive) state.truePositives++
      }
    },
    value: ({ truePositives, wrong }) => (2 * truePositives) / Math.max(1, 2 * truePositives + wrong),
  }) satisfies TrainMetric<Decisions>

/** All scores, by what they should have been: the only metric whose memory grows with the samples. */
interface Scores {
  readonly positive: number[]
  readonly negative: number[]
}

/**
 * The area under the ROC curve: the probability that a positive sample has a larger score than a negative one, equal
 * scores counting half (Hanley and McNeil 1982). By ranks, with their mean where scores are equal, it is
 * (R₊ − n₊ (n₊ + 1) / 2) / (n₊ n₋) (Mann and Whitney 1947); NaN where one class is missing.
 */
export const auc = (): TrainMetric =>
  ({
    name: 'auc',
    of: 'binary',
    moreIsBetter: true,
    start: () => ({ positive: [], negative: [] }),
    add({ positive, negative }, { outputs, targets }) {
      for (let i = 0; i < targets.length; i++) (targets[i] === 1 ? positive : negative).push(outputs[i]!)
    },
    value({ positive, negative }) {
      const [yes, no] = [positive, negative].map((scores) => Float64Array.from(scores).sort()) as [
        Float64Array,
        Float64Array,
      ]
      // U = R₊ − n₊ (n₊ + 1) / 2: for each positive score, the negative ones below, and half of the equal ones.
      let [below, upTo, pairs] = [0, 0, 0]
      for (const score of yes) {
        while (below < no.length && no[below]! < score) below++
        while (upTo < no.length && no[upTo]! <= score) upTo++
        pairs += (below + upTo) / 2
      }
      return pairs / (yes.length * no.length)
    },
  }) satisfies TrainMetric<Scores>
