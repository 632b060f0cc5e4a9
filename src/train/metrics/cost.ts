/** What decides which weights are best. */

import { PareError } from '../../util/errors.js'
import { metricIn, type Score } from '../evaluate.js'
import type { TrainMetric } from './metric.js'

/** Less is better: the loss, or a metric, negated where more of it is better. The score must hold it. */
export const costOf =
  (bestBy?: TrainMetric) =>
  (score: Score): number => {
    if (bestBy === undefined) return score.loss
    const value = metricIn(score, bestBy.name)
    if (value === undefined) throw noValue(bestBy)
    return bestBy.moreIsBetter ? -value : value
  }

export const nothingToJudgeBy = ({ name }: TrainMetric): PareError =>
  new PareError('TRAIN_METRIC', 'there are no samples that this metric could judge by', {
    where: 'bestBy',
    value: name,
    remedy: 'Give validation samples, or more samples, or leave it out.',
  })

const noValue = ({ name }: TrainMetric): PareError =>
  new PareError('TRAIN_METRIC', 'the samples that judge allow no value of this metric', {
    where: 'bestBy',
    value: name,
    remedy: 'Give more of them, of every class, or judge by another metric.',
  })
