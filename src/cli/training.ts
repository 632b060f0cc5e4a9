/** What the commands that train do alike: options to what the library takes, the run, the table, the files. */

import { stat } from 'node:fs/promises'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import type { Model } from '../ir/types.js'
import { writeModel } from '../onnx/files.js'
import { PENALTIES } from '../penalties/index.js'
import { bytes, duration, percent, significant } from '../util/format.js'
import { renderTraining } from '../report/training.js'
import { readCheckpoint, writeCheckpoint } from '../train/checkpoint-file.js'
import type { Dataset } from '../train/dataset.js'
import { type Score, scoreOf } from '../train/evaluate.js'
import type { Epoch } from '../train/loop.js'
import type { Loss } from '../train/losses/loss.js'
import type { Objective } from '../train/objective.js'
import { OPTIMIZERS } from '../train/optimizers/index.js'
import type { PenaltyChoice } from '../train/penalized.js'
import { constant, cosine, oneCycle } from '../train/schedules.js'
import { type Trained, type TrainOptions, train } from '../train/train.js'
import { PareError } from '../util/errors.js'
import { checkWritable, writeFileAtomic } from '../util/files.js'
import { didYouMean } from './args.js'
import type { Answer, Context } from './command.js'
import { engineOptions } from './inputs.js'
import { writtenBytes } from './models.js'
import { nearest } from './suggest.js'
import { table } from './table.js'
import { safe, type Terminal } from './terminal.js'
import type { TrainingChoices } from './training-options.js'

/** `l2:1e-4`. Throws `OPTION_VALUE`. */
export function penaltyOf(text: string): PenaltyChoice {
  const [name = '', strength = ''] = text.split(':')
  const names = Object.keys(PENALTIES)
  if (!Object.hasOwn(PENALTIES, name) || strength.trim() === '' || !Number.isFinite(Number(strength))) {
    throw new PareError('OPTION_VALUE', 'a penalty is its name and its strength', {
      where: '--penalty',
      value: text,
      remedy: `${didYouMean(names.includes(name) ? null : nearest(name, names))}Write for example l2:1e-4. There are: ${names.join(', ')}.`,
    })
  }
  return { penalty: PENALTIES[name as keyof typeof PENALTIES](Number(strength)) }
}

/** What is trained, and on what. */
export interface Training {
  readonly model: Model
  readonly loss: Loss | readonly Objective[]
  readonly data: Dataset
  readonly validation: Dataset | null
  /** Judges the result once. */
  readonly test: Dataset | null
  /** What the options do not say. */
  readonly more?: Partial<TrainOptions>
  /** What the class indices stand for, where the labels were names. */
  readonly classes?: readonly string[] | undefined
  /** For the headline of the report. */
  readonly name: string
}

/** Throws `TRAIN_OUTPUT` where the model has several outputs. */
export function onlyOutput({ graph }: Model): string {
  if (graph.outputs.length === 1) return graph.outputs[0]!
  throw new PareError('TRAIN_OUTPUT', 'the model has several outputs, and the loss is of one', {
    value: graph.outputs,
    remedy: 'Name it with --of.',
  })
}

export const noData = (): PareError =>
  new PareError('OPTION_MISSING', 'there is nothing to train on', { remedy: 'Give samples with --data.' })

/** Checks before anything is read or trained that what will be written can be. */
export async function checkOutputs({ output, report, checkpoint }: TrainingChoices): Promise<void> {
  for (const path of [output, report, checkpoint]) if (path !== undefined) await checkWritable(path)
}

/** Trains, writes the model and the report, and says what came of it. */
export async function runTraining(
  training: Training,
  options: TrainingChoices,
  context: Context,
  given?: Engine,
): Promise<Answer> {
  const engine = given ?? (await openEngine(engineOptions(options, context.warn)))
  try {
    const { model, loss, data, validation, test } = training
    const result = await train(model, {
      engine,
      data,
      loss,
      ...(validation && { validation }),
      ...(await trainOptions(options, data.count, context)),
      ...training.more,
    })
    await writeModel(result.model, options.output)
    const size = await writtenBytes(options.output)
    const tested = test && (await scoreOf(result.model, { engine, data: test, loss, signal: context.signal }))
    if (result.best === 0) context.warn('No epoch was better than the weights that were given: they are handed back.')
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
      text: text(
        result,
        { ...facts, size, output: options.output, report: options.report, classes: training.classes },
        context.terminal,
      ),
      json: {
        output: options.output,
        bytes: size,
        samples: data.count,
        ...(training.classes && { classes: training.classes }),
        steps,
        best,
        ...(before && { before }),
        epochs,
        ...(tested && { test: tested }),
        engine: engine.name,
        device: engine.device,
        threads: engine.threads,
      },
    }
  } finally {
    if (!given) await engine.close()
  }
}

async function trainOptions(options: TrainingChoices, count: number, { signal, onProgress, warn }: Context) {
  const { checkpoint, learningRate, clip, averaging, patience, seed, epochs, freeze } = options
  const resume = checkpoint !== undefined && (await isThere(checkpoint)) ? await readCheckpoint(checkpoint) : null
  return {
    optimizer: OPTIMIZERS[options.optimizer](),
    schedule: { constant, cosine, 'one-cycle': oneCycle }[options.schedule](),
    epochs,
    batchSize: Math.min(options.batch, count),
    penalties: options.penalty.map(penaltyOf),
    freeze,
    seed,
    signal,
    onProgress,
    onWarning: warn,
    ...(learningRate !== undefined && { learningRate }),
    ...(clip !== undefined && { clipNorm: clip }),
    ...(averaging !== undefined && { averaging }),
    ...(patience !== undefined && { patience }),
    ...(resume && { resume }),
    ...(checkpoint !== undefined && { onCheckpoint: (c) => writeCheckpoint(checkpoint, c) }),
  } satisfies Partial<TrainOptions>
}

const isThere = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null

interface Said {
  readonly output: string
  readonly report: string | undefined
  readonly size: number | null
  readonly classes: readonly string[] | undefined
  readonly test: Score | null
  readonly engine: string
}

function text(
  { epochs, best, before }: Trained,
  { output, report, size, test, engine, classes }: Said,
  terminal: Terminal,
): string {
  const weights = best === 0 ? 'the weights that were given' : `weights of epoch ${best}`
  return [
    epochTable(epochs, best, before, terminal),
    '',
    ...(test ? [`On the test samples: ${scoreText(test)}.`] : []),
    `${safe(output)}: ${size === null ? 'written' : bytes(size)}, ${weights}.`,
    ...(report === undefined ? [] : [`${safe(report)}: the report.`]),
    ...(classes ? [`Classes, from 0: ${classes.map(safe).join(', ')}.`] : []),
    `${engine}.`,
  ].join('\n')
}

export const scoreText = ({ loss, accuracy }: Score): string =>
  accuracy === undefined ? `loss ${significant(loss)}` : `accuracy ${percent(accuracy)}, loss ${significant(loss)}`

/** A row an epoch, the best one marked. */
function epochTable(epochs: readonly Epoch[], best: number, before: Score | undefined, terminal: Terminal): string {
  const judged = epochs.some((e) => e.validation !== undefined)
  const hasAccuracy = epochs.some((e) => e.validation?.accuracy !== undefined)
  const right = { align: 'right' } as const
  const columns = [
    { title: '' },
    { title: 'epoch', ...right },
    { title: 'training loss', ...right },
    ...(judged ? [{ title: 'validation loss', ...right }] : []),
    ...(hasAccuracy ? [{ title: 'accuracy', ...right }] : []),
    { title: 'time', ...right },
  ]
  const score = (s: Score | undefined): readonly string[] => [
    ...(judged ? [s ? significant(s.loss) : ''] : []),
    ...(hasAccuracy ? [s?.accuracy === undefined ? '' : percent(s.accuracy)] : []),
  ]
  const mark = (epoch: number): string => (epoch === best ? '→' : '')
  const start = before ? [[mark(0), 'given', '', ...score(before), '']] : []
  const rows = epochs.map((e) => [
    mark(e.epoch),
    String(e.epoch),
    significant(e.trainingLoss),
    ...score(e.validation),
    duration(e.seconds),
  ])
  return table(columns, [...start, ...rows], terminal)
}

const counted = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`
