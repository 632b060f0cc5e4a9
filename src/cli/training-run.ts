/** What a training on the command line is of, and what comes of it, whichever way it goes. */

import type { Engine } from '../engine/engine.js'
import type { Model } from '../ir/types.js'
import type { ReportFacts } from '../report/training.js'
import type { Dataset } from '../train/dataset.js'
import { type Score, scoreOf } from '../train/evaluate.js'
import type { Loss } from '../train/losses/loss.js'
import type { TrainMetric } from '../train/metrics/metric.js'
import type { Objective } from '../train/objective.js'
import type { TrainOptions } from '../train/train.js'
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

/** Scores of a model in the terms of a training. */
export const scoreIn =
  ({ loss, metrics, more }: Training, engine: Engine, { signal }: Context) =>
  (model: Model, data: Dataset): Promise<Score> =>
    scoreOf(model, { engine, data, loss, metrics: metrics ?? [], signal, ...(more?.shapes && { shapes: more.shapes }) })
