/** What the commands that train do alike: options to what the library takes, the run, the files. */

import { stat } from 'node:fs/promises'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import type { Model } from '../ir/types.js'
import { writeModel } from '../onnx/files.js'
import { renderTraining } from '../report/training.js'
import { readCheckpoint, writeCheckpoint } from '../train/checkpoint-file.js'
import type { Dataset } from '../train/dataset.js'
import { scoreOf } from '../train/evaluate.js'
import type { Loss } from '../train/losses/loss.js'
import type { TrainMetric } from '../train/metrics/metric.js'
import type { Objective } from '../train/objective.js'
import { OPTIMIZERS } from '../train/optimizers/index.js'
import { constant, cosine, oneCycle } from '../train/schedules.js'
import { type TrainOptions, train } from '../train/train.js'
import { PareError } from '../util/errors.js'
import { checkWritable, writeFileAtomic } from '../util/files.js'
import { counted } from '../util/format.js'
import { augmentsOf } from './augment.js'
import type { Answer, Context } from './command.js'
import { engineOptions } from './inputs.js'
import { metricOf } from './metric.js'
import { protectInput, writtenBytes } from './models.js'
import { penaltyOf } from './penalty.js'
import type { LabelChoices, TrainingChoices } from './training-options.js'
import { trainingText } from './training-text.js'

/** What is trained, and on what. */
export interface Training {
  readonly model: Model
  readonly loss: Loss | readonly Objective[]
  readonly data: Dataset
  readonly validation: Dataset | null
  /** Judges the result once. */
  readonly test: Dataset | null
  readonly metrics?: readonly TrainMetric[]
  readonly bestBy?: TrainMetric | undefined
  /** What the options do not say. */
  readonly more?: Partial<TrainOptions>
  /** What the class indices stand for, where the labels were names. */
  readonly classes?: readonly string[] | undefined
  /** The loss, in words. */
  readonly how: string
  /** For the headline of the report. */
  readonly name: string
}

/** Throws `TRAIN_OUTPUT` where the model has several outputs. */
export function onlyOutput({ graph }: Model, remedy = 'Name it with --of.'): string {
  if (graph.outputs.length === 1) return graph.outputs[0]!
  throw new PareError('TRAIN_OUTPUT', 'the model has several outputs, and the loss is of one', {
    value: graph.outputs,
    remedy,
  })
}

export const noData = (): PareError =>
  new PareError('OPTION_MISSING', 'there is nothing to train on', { remedy: 'Give samples with --data.' })

/** What is read, beside the model itself. */
export type Reads = Readonly<
  Partial<
    Record<
      'data' | 'labels' | 'validation' | 'validationLabels' | 'test' | 'testLabels' | 'teacher',
      string | undefined
    >
  >
>

/**
 * Before anything is read or trained: what is asked for is understood, nothing that is read is overwritten, and all that
 * will be written can be. Throws `OPTION_VALUE`, `OUTPUT_IS_INPUT`, `OUTPUT_TWICE`, `FILE_UNWRITABLE`.
 */
export async function checkChoices(
  path: string | undefined,
  options: TrainingChoices & Reads,
  model?: Model,
  weights: readonly string[] = [],
): Promise<void> {
  const { output, force, report, checkpoint, data, labels, validation, validationLabels, test, testLabels, teacher } =
    options
  for (const text of options.penalty) penaltyOf(text)
  augmentsOf(options.augment)
  const read = [data, labels, validation, validationLabels, test, testLabels, teacher, ...weights]
  await protectInput(path, output, force, { read, report, checkpoint, ...(model && { model }) })
  for (const written of [output, report, checkpoint]) if (written !== undefined) await checkWritable(written)
}

/** Throws `OPTION_VALUE` before anything is read. */
export const metricChoices = ({ metric, bestBy }: Pick<LabelChoices, 'metric' | 'bestBy'>) => ({
  metrics: metric.map((name) => metricOf(name)),
  bestBy: bestBy === undefined ? undefined : metricOf(bestBy, '--best-by'),
})

/** Trains, writes the model and the report, and says what came of it. */
export async function runTraining(
  training: Training,
  options: TrainingChoices,
  context: Context,
  given?: Engine,
): Promise<Answer> {
  const engine = given ?? (await openEngine(engineOptions(options, context.warn)))
  const workers: Engine[] = []
  try {
    for (let i = 1; i < (options.workers ?? 1); i++)
      workers.push(await openEngine(engineOptions(options, context.warn)))
    const { model, loss, data, validation, test, bestBy } = training
    const augment = augmentsOf(options.augment)?.(data)
    const metrics = [...(training.metrics ?? []), ...(bestBy ? [bestBy] : [])]
    const shapes = training.more?.shapes
    const result = await train(model, {
      engine,
      workers,
      data,
      loss,
      metrics,
      ...(bestBy && { bestBy }),
      ...(augment && { augment }),
      ...(validation && { validation }),
      ...(await trainOptions(options, validation ? data.count : Math.ceil(0.9 * data.count), context)),
      ...training.more,
    })
    await writeModel(result.model, options.output)
    const size = await writtenBytes(options.output)
    const tested =
      test &&
      (await scoreOf(result.model, {
        engine,
        data: test,
        loss,
        metrics,
        signal: context.signal,
        ...(shapes && { shapes }),
      }))
    if (result.epochs.every((e) => e.validation === undefined))
      context.warn('There are too few samples to judge by: the weights are those of the last epoch.')
    else if (result.best === 0)
      context.warn('No epoch was better than the weights that were given: they are handed back.')
    const facts = {
      name: training.name,
      trained: result,
      test: tested,
      engine: `${engine.name} ${engine.version}, ${engine.device}, ${counted(engine.threads, 'thread')}`,
    }
    if (options.report !== undefined)
      await writeFileAtomic(options.report, renderTraining({ ...facts, commandLine: context.commandLine }))
    const { epochs, best, steps, before } = result
    return {
      text: trainingText(
        result,
        {
          ...facts,
          size,
          loss: training.how,
          output: options.output,
          report: options.report,
          classes: training.classes,
        },
        context.terminal,
      ),
      json: {
        output: options.output,
        bytes: size,
        loss: training.how,
        samples: data.count,
        ...(training.classes && { classes: training.classes }),
        steps,
        best,
        ...(bestBy && { bestBy: bestBy.name }),
        ...(before && { before }),
        epochs,
        ...(tested && { test: tested }),
        engine: engine.name,
        device: engine.device,
        threads: engine.threads,
      },
    }
  } finally {
    for (const own of given ? workers : [engine, ...workers]) await own.close()
  }
}

async function trainOptions(options: TrainingChoices, count: number, { signal, onProgress, warn }: Context) {
  const { checkpoint, learningRate, clip, averaging, mixup, roundTo, patience, seed, epochs, freeze } = options
  const resume = checkpoint !== undefined && (await isThere(checkpoint)) ? await readCheckpoint(checkpoint) : null
  if (resume) warn(`Goes on after epoch ${resume.history.length}, from ${checkpoint}.`)
  return {
    optimizer: OPTIMIZERS[options.optimizer](),
    schedule: { constant, cosine, 'one-cycle': oneCycle }[options.schedule](),
    epochs,
    ...(options.batch !== undefined && { batchSize: Math.min(options.batch, count) }),
    penalties: options.penalty.map(penaltyOf),
    freeze,
    seed,
    signal,
    onProgress,
    onWarning: warn,
    ...(learningRate !== undefined && { learningRate }),
    ...(clip !== undefined && { clipNorm: clip }),
    ...(averaging !== undefined && { averaging }),
    ...(mixup !== undefined && { mixup }),
    ...(roundTo !== undefined && { grid: roundTo }),
    ...(patience !== undefined && { patience }),
    ...(resume && { resume }),
    ...(checkpoint !== undefined && { onCheckpoint: (c) => writeCheckpoint(checkpoint, c) }),
  } satisfies Partial<TrainOptions>
}

const isThere = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null
