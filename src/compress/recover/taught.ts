/** The short training that recoveries have in common. */

import type { Model } from '../../ir/types.js'
import { part } from '../../train/dataset.js'
import { cosine } from '../../train/schedules.js'
import { type TrainOptions, train } from '../../train/train.js'
import type { TransformEnv } from '../transform.js'
import { type LessonParams, type Lessons, samplesOfSteps } from './lessons.js'

interface Teaching extends Pick<TrainOptions, 'learningRate' | 'freeze' | 'keepZeros' | 'grid'> {
  /** For whoever follows the progress. */
  readonly task: string
}

/**
 * What becomes of a model. The last tenth of the samples judges, and
 * the weights are those of the best epoch: the result is no worse on it. Null where no epoch was better than the beginning.
 */
export async function taught(
  model: Model,
  { data: all, objectives }: Lessons,
  p: LessonParams,
  env: TransformEnv,
  { task, ...options }: Teaching,
): Promise<Model | null> {
  const { signal, onProgress, seed = 0 } = env
  const engine = await env.engine()
  const data = part(all, 0, Math.min(all.count, samplesOfSteps(p)))
  const perEpoch = Math.max(1, Math.floor((data.count * 0.9) / p.batch))
  const curve: number[] = []
  const trained = await train(model, {
    ...options,
    engine,
    data,
    loss: objectives,
    schedule: cosine(),
    epochs: Math.max(1, Math.round(p.steps / perEpoch)),
    batchSize: Math.max(1, Math.min(p.batch, Math.floor(data.count * 0.9))),
    isTraining: false,
    seed,
    ...(signal && { signal }),
    onProgress(progress) {
      curve.splice(0, curve.length, ...(progress.curve ?? curve))
      onProgress?.({ ...progress, task })
    },
  })
  env.onRecovered?.(curve)
  return trained.best === 0 ? null : trained.model
}
