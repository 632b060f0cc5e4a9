/** All metrics, by name too. */

import { auc, f1 } from './binary.js'
import { accuracy, balancedAccuracy, macroF1, topK } from './classes.js'
import type { TrainMetric } from './metric.js'
import { mae, r2, rmse } from './values.js'

export { accuracy, auc, balancedAccuracy, f1, macroF1, mae, r2, rmse, topK }

/** `top-5` stands for any number. */
export const METRICS = {
  accuracy,
  'top-5': () => topK(5),
  'macro-f1': macroF1,
  'balanced-accuracy': balancedAccuracy,
  f1,
  auc,
  mae,
  rmse,
  r2,
} as const satisfies Readonly<Record<string, () => TrainMetric>>
