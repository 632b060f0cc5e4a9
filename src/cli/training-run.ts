/** What a training on the command line is of, and what comes of it, whichever way it goes. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { Model } from '../ir/types.js'
import type { ReportFacts } from '../report/training.js'
import type { Dataset } from '../train/dataset.js'
import { checkScoring, type Score, scoreOf } from '../train/evaluate.js'
import type { Loss } from '../train/losses/loss.js'
import type { TrainMetric } from '../train/metrics/metric.js'
import type { Objective } from '../train/objective.js'
import type { TrainOptions } from '../train/train.js'
import { messageOf } from '../util/errors.js'
import type { Context } from './command.js'
import type { Terminal } from './terminal.js'

/** What is trained, and on what. */
export interface Training {
  readonly model: Model
  readonly loss: Loss | readonly Objective[]
  readonly data: Dataset
  readonly validation: Dataset | null
  /** Judges the result once. */
  readonly test: Dataset | null
  readonly metrics?: readonly TrainMetric[]
  /** One of the metrics, where the loss does not decide. */
  readonly bestBy?: TrainMetric | undefined
  /** Whether the weights that were given are kept unless those that come out are better on the validation samples. */
  readonly neverWorse?: boolean
  /** What the options do not say. */
  readonly more?: Partial<TrainOptions>
  /** What the class indices stand for, where the labels were names. */
  readonly classes?: readonly string[] | undefined
  /** The loss, in words. */
  readonly how: string
  /** For the headline of the report. */
  readonly name: string
}

/** What came of it. */
export interface Went {
  readonly model: Model
  /** How it went, for people. */
  text(terminal: Terminal): string
  /** Whose weights these are. */
  readonly weights: string
  readonly json: object
  /** All that was judged on the way. */
  readonly scores: readonly Score[]
  /** The HTML page. */
  report(facts: ReportFacts): string
}

export interface World {
  readonly engine: Engine
  readonly context: Context
}

const termsOf = ({ loss, metrics = [], more }: Training) => ({
  loss,
  metrics,
  ...(more?.shapes && { shapes: more.shapes }),
})

/** Before the training: what judges the model in its course and in the end can. Throws what `scoreOf` throws of it. */
export async function checkJudges(training: Training): Promise<void> {
  const { model, validation, test } = training
  for (const [what, data] of Object.entries({ validation, test }))
    if (data) await checkScoring(model, { ...termsOf(training), data, what })
}

/** Scores of a model in the terms of a training. */
export const scoreIn =
  (training: Training, engine: Engine, { signal }: Context) =>
  (model: Model, data: Dataset): Promise<Score> =>
    scoreOf(model, { ...termsOf(training), engine, data, signal })

/** The score on the test samples; where they fail now, a warning: what was trained is not lost with it. */
export async function testScore(training: Training, model: Model, { engine, context }: World): Promise<Score | null> {
  if (training.test === null) return null
  try {
    return await scoreIn(training, engine, context)(model, training.test)
  } catch (error) {
    throwIfAborted(context.signal)
    context.warn(`The test samples could not be judged: ${messageOf(error)}`)
    return null
  }
}
