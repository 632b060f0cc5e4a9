/** Training by gradient descent, from options to what came of it. */

import { stat } from 'node:fs/promises'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { renderTraining } from '../report/training.js'
import { readCheckpoint, writeCheckpoint } from '../train/checkpoint-file.js'
import { OPTIMIZERS } from '../train/optimizers/index.js'
import { constant, cosine, milestones, oneCycle, warmUpCosine } from '../train/schedules.js'
import { type TrainOptions, train } from '../train/train.js'
import { augmentsOf } from './augment.js'
import type { Context } from './command.js'
import { epochTable } from './epoch-table.js'
import { engineOptions } from './inputs.js'
import { isAuto, penaltyOf } from './penalty.js'
import type { TrainingChoices } from './training-options.js'
import type { Training, Went, World } from './training-run.js'
import { notBetter } from './training-text.js'

const DEFAULT_EPOCHS = 5

export async function descent(training: Training, options: TrainingChoices, { engine, context }: World): Promise<Went> {
  const { model, loss, data, validation, bestBy, metrics = [] } = training
  const augment = augmentsOf(options.augment)?.(data)
  return withWorkers(options, context, async (workers) => {
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
    const { epochs, best, steps, before } = result
    if (epochs.every((e) => e.validation === undefined))
      context.warn('There are too few samples to judge by: the weights are those of the last epoch.')
    else if (best === 0) context.warn(notBetter('No epoch was'))
    return {
      model: result.model,
      text: (terminal) => epochTable(result, terminal),
      weights: best === 0 ? 'the weights that were given' : `weights of epoch ${best}`,
      json: { steps, best, ...(bestBy && { bestBy: bestBy.name }), ...(before && { before }), epochs },
      scores: [before, ...epochs.map((e) => e.validation)].flatMap((score) => score ?? []),
      report: (facts) => renderTraining({ ...facts, trained: result, bestBy: bestBy?.name }),
    }
  })
}

/** With the engines that `--workers` asks for beside the first. */
export async function withWorkers<T>(
  options: TrainingChoices,
  { warn }: Context,
  act: (workers: readonly Engine[]) => Promise<T>,
): Promise<T> {
  const workers: Engine[] = []
  try {
    for (let i = 1; i < (options.workers ?? 1); i++) workers.push(await openEngine(engineOptions(options, warn)))
    return await act(workers)
  } finally {
    for (const worker of workers) await worker.close()
  }
}

const SCHEDULES = { constant, cosine, 'one-cycle': oneCycle, step: milestones, 'warm-up-cosine': warmUpCosine } as const

export async function trainOptions(options: TrainingChoices, count: number, { signal, onProgress, warn }: Context) {
  const { checkpoint, learningRate, clip, averaging, mixup, roundTo, patience, plateau, seed, freeze, keepZeros } =
    options
  // A plateau lowers the rate when it is due: a schedule that does so by itself would be in its way.
  const schedule = options.schedule ?? (plateau === undefined ? 'one-cycle' : 'constant')
  const resume = checkpoint !== undefined && (await isThere(checkpoint)) ? await readCheckpoint(checkpoint) : null
  if (resume) warn(`Goes on after epoch ${resume.history.length}, from ${checkpoint}.`)
  return {
    optimizer: OPTIMIZERS[options.optimizer as keyof typeof OPTIMIZERS](),
    schedule: SCHEDULES[schedule](),
    epochs: options.epochs ?? DEFAULT_EPOCHS,
    ...(options.batch !== undefined && {
      batchSize: Math.max(1, Math.min(options.batch, Math.floor(count / (options.accumulate ?? 1)))),
    }),
    ...(options.accumulate !== undefined && { accumulate: options.accumulate }),
    penalties: options.penalty.filter((text) => !isAuto(text)).map(penaltyOf),
    freeze,
    keepZeros,
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
    ...(plateau !== undefined && { plateau: { patience: plateau } }),
    ...(resume && { resume }),
    ...(checkpoint !== undefined && { onCheckpoint: (c) => writeCheckpoint(checkpoint, c) }),
  } satisfies Partial<TrainOptions>
}

const isThere = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null
