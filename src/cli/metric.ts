/** Metrics as they are named on the command line. */

import { METRICS, topK } from '../train/metrics/index.js'
import type { TrainMetric } from '../train/metrics/metric.js'
import { PareError } from '../util/errors.js'
import { nearest } from '../util/nearest.js'
import { didYouMean } from './args.js'

/** `macro-f1`, `top-3`. Throws `OPTION_VALUE`. */
export function metricOf(text: string, where = '--metric'): TrainMetric {
  const [, k] = /^top-([1-9]\d{0,5})$/.exec(text) ?? []
  if (k !== undefined) return topK(Number(k))
  if (Object.hasOwn(METRICS, text)) return METRICS[text as keyof typeof METRICS]()
  const names = Object.keys(METRICS)
  throw new PareError('OPTION_VALUE', 'there is no such metric', {
    where,
    value: text,
    remedy: `${didYouMean(nearest(text, names))}There are: ${names.join(', ')}, and top-k of any other k.`,
  })
}
