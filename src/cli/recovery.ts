/** Recovery in a budget of seconds: a few steps are timed, and as many are taken as the time allows. */

import type { Samples } from '../data/samples.js'
import type { Engine } from '../engine/engine.js'
import type { Model } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import { factFinder } from '../passes/facts.js'
import { type Dataset, part, readDataset, shuffled } from '../train/dataset.js'
import { distillation } from '../train/distill.js'
import type { Epoch } from '../train/loop.js'
import { crossEntropy } from '../train/losses/cross-entropy.js'
import { squaredError } from '../train/losses/squared.js'
import { type Objective, objectiveFor } from '../train/objective.js'
import { adam } from '../train/optimizers/adam.js'
import { oneCycle } from '../train/schedules.js'
import { type TrainOptions, train } from '../train/train.js'
import type { RunOptions } from '../util/env.js'
import { random } from '../util/random.js'

export interface RecoveryOptions extends RunOptions {
  readonly engine: Engine
  /** What to answer like, where the samples have no labels. */
  readonly teacher: Model
  readonly samples: Samples
  /** Of one recovery. */
  readonly seconds: number
}

/** What a recovery took, and what came of it. */
export interface Recovery {
  readonly from: 'labels' | 'the original'
  readonly samples: number
  readonly batch: number
  readonly epochs: number
  readonly steps: number
  /** Of the epoch whose weights are kept, from 1; 0: none was better than the cut model. */
  readonly best: number
  /** On the tenth of the samples that judges: of the cut model, and at the best. */
  readonly lossBefore: number | null
  readonly loss: number | null
}

const BATCH = 32
const RATE = 1e-3
/** Steps that are timed. */
const TIMED = 8
/** A tenth of the samples judges. */
const LEARNED = 0.9

/**
 * Trains the model on the labels where all samples have them and it has one output; else to answer as the teacher does.
 * Normalizations keep their statistics. The number of steps depends on the time that some take, and is handed back.
 */
export async function recovered(
  model: Model,
  options: RecoveryOptions,
): Promise<{ readonly model: Model; readonly recovery: Recovery }> {
  const { engine, seconds, seed = 0, signal, onProgress, onWarning } = options
  const { data, objectives, from } = await lessonFor(model, options)
  const all = shuffled(data, random(seed).fork(-7))
  const base: Omit<TrainOptions, 'data'> = {
    engine,
    loss: objectives,
    batchSize: Math.max(1, Math.min(BATCH, Math.floor(LEARNED * data.count))),
    learningRate: RATE,
    optimizer: adam(),
    schedule: oneCycle(),
    isTraining: false,
    seed,
    ...(signal && { signal }),
  }
  const { secondsOfStep, batch } = await timed(model, base, all)
  const wanted = Math.max(1, Math.floor(seconds / secondsOfStep))
  const rows = Math.min(data.count, Math.ceil((wanted * batch) / LEARNED))
  const epochs = Math.max(1, Math.floor(wanted / Math.max(1, Math.floor((LEARNED * rows) / batch))))
  const trained = await train(model, {
    ...base,
    batchSize: batch,
    data: part(all, 0, rows),
    epochs,
    ...(onWarning && { onWarning }),
    onEpoch: ({ epoch, trainingLoss }) =>
      onProgress?.({ task: 'recovering', detail: `loss ${trainingLoss.toPrecision(3)}`, done: epoch, total: epochs }),
  })
  const { best, steps, before } = trained
  return {
    model: trained.model,
    recovery: {
      from,
      samples: rows,
      batch,
      epochs,
      steps,
      best,
      lossBefore: before?.loss ?? null,
      loss: (best === 0 ? before : trained.epochs[best - 1]?.validation)?.loss ?? null,
    },
  }
}

interface Lesson {
  readonly data: Dataset
  readonly objectives: readonly Objective[]
  readonly from: Recovery['from']
}

async function lessonFor(model: Model, options: RecoveryOptions): Promise<Lesson> {
  const { engine, teacher, samples, signal, onProgress } = options
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) }
  const objective = await labelObjective(model, samples, signal)
  if (objective === null) {
    return { ...(await distillation(model, teacher, samples, { engine, ...run })), from: 'the original' }
  }
  const data = await readDataset(samples, { model, loss: [objective], ...(signal && { signal }) })
  return { data, objectives: [objective], from: 'labels' }
}

/** Null where labels are missing, or the model has several outputs. */
async function labelObjective(model: Model, samples: Samples, signal?: AbortSignal): Promise<Objective | null> {
  const { outputs } = model.graph
  if (outputs.length !== 1) return null
  let [isClass, most] = [true, 0]
  for await (const { label } of samples.read(signal ? { signal } : {})) {
    if (label === undefined) return null
    isClass &&= typeof label === 'number' && Number.isInteger(label) && label >= 0
    if (isClass) most = Math.max(most, label as number)
  }
  const width = shapeOf(factFinder(model)(outputs[0]!))?.at(-1)
  const hasClasses = typeof width === 'number' && width > Math.max(1, most)
  return objectiveFor(model, outputs[0]!, isClass && hasClasses ? crossEntropy() : squaredError())
}

/** Seconds of one step, once warm, and how many samples it takes: a model may be fixed to one. */
async function timed(model: Model, options: Omit<TrainOptions, 'data'>, all: Dataset) {
  const wanted = options.batchSize!
  const data = part(all, 0, Math.min(all.count, TIMED * wanted))
  const seconds: number[] = []
  const timing = { ...options, data, validation: null, epochs: 2, onEpoch: (e: Epoch) => seconds.push(e.seconds) }
  const { steps } = await train(model, timing)
  return { secondsOfStep: seconds.at(-1)! / (steps / 2), batch: Math.min(wanted, Math.floor(data.count / (steps / 2))) }
}
