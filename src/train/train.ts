/** Trains a model by gradient descent: what a user calls. */

import { atGradientOpset } from '../autodiff/gradient.js'
import type { Engine, Session } from '../engine/engine.js'
import { builder } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import type { Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { random } from '../util/random.js'
import type { Augment } from './augment.js'
import { trainingBlock } from './block.js'
import { checkDataset } from './check-dataset.js'
import { type Checkpoint, checkCheckpoint } from './checkpoint.js'
import { type Dataset, part, shuffled } from './dataset.js'
import { areFinite, diverged } from './divergence.js'
import { withoutDropout } from './dropout.js'
import { openEvaluator, type Score } from './evaluate.js'
import { type TrainedGrid, withFakeQuantization } from './fake-quantize.js'
import type { States } from './feeds.js'
import { type Epoch, loop, type Plateau, type Run } from './loop.js'
import type { Loss } from './losses/loss.js'
import { aimsOf, type Objective, objectivesOf } from './objective.js'
import { adam } from './optimizers/adam.js'
import type { Optimizer } from './optimizers/optimizer.js'
import { floatOf } from './pass.js'
import { nothingToTrain, type PenaltyChoice, penalized } from './penalized.js'
import { constant, type Schedule } from './schedules.js'
import { type TrainingStep, trainingStep } from './step.js'
import { parametersOf, trainingForm, withParameters } from './training-form.js'

export interface TrainOptions extends RunOptions {
  readonly engine: Engine
  /** Further engines that train beside it, each on batches of its own; their weights are averaged every 50 steps. */
  readonly workers?: readonly Engine[]
  /** Already in a changing order or not: it is shuffled anew each epoch, by `seed`. */
  readonly data: Dataset
  /** Judges after each epoch. Default: the last tenth of `data`, in an order drawn by `seed`; null: nothing does. */
  readonly validation?: Dataset | null
  /** A loss of the only output, or losses of several. */
  readonly loss: Loss | readonly Objective[]
  readonly optimizer?: Optimizer
  /** Default: the optimizer's own. */
  readonly learningRate?: number
  readonly schedule?: Schedule
  readonly plateau?: Plateau
  readonly epochs?: number
  /** What does not fill a batch at the end of an epoch is left for others. Default 32, or the model's own. */
  readonly batchSize?: number
  /** Patterns of weights, or of the nodes that read them, that stay as they are. */
  readonly freeze?: readonly string[]
  readonly penalties?: readonly PenaltyChoice[]
  /** Largest norm of a step's gradients, all together. Default: any. */
  readonly clipNorm?: number
  /** The weights that are judged and handed back are means over the steps, of which so much stays at each: 0.999, say. */
  readonly averaging?: number
  /** α of mixup, which mixes samples and targets in pairs: 0.2, say. Default: none. */
  readonly mixup?: number
  readonly augment?: Augment
  /** Quantization-aware: round to this grid in the forward pass, so that the weights suit `quantize` afterwards. */
  readonly grid?: TrainedGrid
  /** Other dimensions than the batch that the model leaves open. */
  readonly shapes?: InputShapes
  /** Normalize over the batch, let running statistics move, and let Dropout drop. Default true. */
  readonly isTraining?: boolean
  /** Stop after so many epochs in which the loss that judges did not fall. Default: never. */
  readonly patience?: number
  readonly onEpoch?: (epoch: Epoch) => void
  /** Called after each epoch with all that is needed to go on from there. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void | Promise<void>
  /** Goes on from there: with the same options the outcome is that of a run that never stopped, bit for bit. */
  readonly resume?: Checkpoint
}

export interface Trained {
  /** The model that was given, with the weights of the best epoch (by validation loss; else the last), without Dropout. */
  readonly model: Model
  readonly epochs: readonly Epoch[]
  /** Which of them the weights are from, from 1; 0 where none was better than the weights that were given. */
  readonly best: number
  readonly steps: number
  /** The score of the weights that were given, where there is something to judge by. */
  readonly before?: Score
}

/**
 * Trains a model by gradient descent. Throws `GRADIENT_…`, `TRAIN_…`, `PENALTY_STEP`, and what the engine throws;
 * `ABORTED` once the signal fired.
 */
export async function train(model: Model, options: TrainOptions): Promise<Trained> {
  checkNumbers(options)
  const { engine, seed = 0, epochs = 10, optimizer = adam(), schedule = constant(), signal } = options
  const plain = await atGradientOpset(model)
  const objectives = objectivesOf(plain, options.loss)
  const trainable = parametersOf(plain, options.freeze)
  if (trainable.length === 0) throw nothingToTrain()
  const float = floatOf(plain, trainable)
  const form = trainingForm(plain, {
    batchSize: 32,
    seed,
    float,
    trainable,
    isMixed: options.mixup !== undefined,
    ...options,
  })
  const { data, validation } = shares(options)
  const needs = { model: form.model, inputs: plain.graph.inputs, objectives }
  checkDataset(data, { ...needs, least: form.batchSize, what: 'data' })
  const least = form.isBatchOpen ? 1 : form.batchSize
  if (validation) checkDataset(validation, { ...needs, least, what: 'validation' })
  const { clipNorm, averaging } = options
  const step = trainingStep(form.model, {
    objectives,
    trainable,
    optimizer,
    penalties: (options.penalties ?? []).map((choice) => penalized(plain, trainable, choice)),
    mix: form.mix,
    detached: form.detached,
    ...(clipNorm !== undefined && { clipNorm }),
    ...(averaging !== undefined && { averaging }),
  })
  const learningRate = options.learningRate ?? optimizer.learningRate
  checkProximalSteps(options.penalties ?? [], learningRate, schedule, epochs * Math.floor(data.count / form.batchSize))
  const choices = choicesOf(options, { optimizer, learningRate, data, batchSize: form.batchSize, seed, epochs })
  if (options.resume) checkCheckpoint(options.resume, step, choices)

  const block = trainingBlock(step)
  const { bytes } = encodeModel(block.model)
  const sessions: Session[] = []
  try {
    for (const worker of [engine, ...(options.workers ?? [])]) sessions.push(await worker.load(bytes))
    const bare = withoutDropout(plain)
    const judged = options.grid ? withFakeQuantization(bare, trainable, options.grid, float).model : bare
    const aims = aimsOf(builder(allNames(form.model.graph)), form.model, objectives)
    const parameters = [...step.parameters.keys()]
    const { batchSize, isBatchOpen } = form
    const evaluator =
      validation && (await openEvaluator(judged, { engine, float, aims, parameters, batchSize, isBatchOpen }))
    try {
      const score = evaluator && ((states: States) => evaluator.score(parametersIn(step, states), validation, signal))
      const { patience = Number.POSITIVE_INFINITY, plateau = null } = options
      const plan = {
        step,
        block,
        form,
        data,
        seed,
        sessions,
        epochs,
        learningRate,
        schedule,
        patience,
        plateau,
        choices,
        score,
      }
      const run: Run = { ...options, ...plan }
      return await finished(run, model, await loop(run, options.resume ?? null))
    } finally {
      await evaluator?.close()
    }
  } finally {
    for (const session of sessions) await session.close()
  }
}

async function finished(run: Run, model: Model, { history, best, states, before }: Checkpoint): Promise<Trained> {
  const { step, form, data, score } = run
  const chosen = score === null ? states : best.states
  const weights = parametersIn(step, chosen)
  const steps = history.length * Math.floor(data.count / form.batchSize)
  if (![...weights.values()].every(areFinite))
    throw await diverged(
      { ...run, session: run.sessions[0]! },
      { loss: Number.NaN, step: steps, rate: history.at(-1)!.learningRate, states: chosen },
    )
  return {
    model: withoutDropout(withParameters(model, weights)),
    epochs: history,
    best: score === null ? history.length : best.epoch,
    steps,
    ...(before && { before }),
  }
}

/** What trains and what judges. */
function shares({ data, validation, seed = 0 }: TrainOptions): {
  readonly data: Dataset
  readonly validation: Dataset | null
} {
  if (validation !== undefined) return { data, validation }
  const kept = Math.ceil(0.9 * data.count)
  if (kept === data.count) return { data, validation: null }
  const all = shuffled(data, random(seed).fork(-1))
  return { data: part(all, 0, kept), validation: part(all, kept, data.count) }
}

const parametersIn = ({ parameters }: TrainingStep, states: States): ReadonlyMap<string, Tensor> =>
  new Map([...parameters].map(([name, state]) => [name, states.get(state)!]))

/** A proximal step of a penalty that bends has an answer only below a length. Throws `PENALTY_STEP`. */
function checkProximalSteps(choices: readonly PenaltyChoice[], rate: number, schedule: Schedule, total: number): void {
  const bent = choices.filter(({ penalty, proximal = true }) => proximal && penalty.maxStep !== undefined)
  if (bent.length === 0) return
  let most = 0
  for (let step = 0; step < total; step++) most = Math.max(most, rate * schedule(step, total))
  const tight = bent.find(({ penalty }) => most >= penalty.maxStep!)
  if (tight === undefined) return
  throw new PareError('PENALTY_STEP', `the learning rate must stay below ${tight.penalty.maxStep} for this penalty`, {
    where: tight.penalty.name,
    value: most,
    remedy: 'Lower the learning rate, or give the penalty a larger gamma.',
  })
}

interface Chosen {
  readonly optimizer: Optimizer
  readonly learningRate: number
  readonly data: Dataset
  readonly batchSize: number
  readonly seed: number
  readonly epochs: number
}

/** In words, what a checkpoint must agree in. */
const choicesOf = ({ mixup, averaging, clipNorm, grid, workers = [] }: TrainOptions, c: Chosen): string =>
  [
    `${c.data.count} samples in batches of ${c.batchSize}`,
    `${c.epochs} epochs`,
    `${c.optimizer.name} at ${c.learningRate}`,
    `seed ${c.seed}`,
    ...(mixup === undefined ? [] : [`mixup ${mixup}`]),
    ...(averaging === undefined ? [] : [`averaging ${averaging}`]),
    ...(grid === undefined ? [] : [`rounded to ${grid}`]),
    ...(workers.length === 0 ? [] : [`${workers.length + 1} workers`]),
    ...(clipNorm === undefined ? [] : [`gradients up to ${clipNorm}`]),
  ].join(', ')

function checkNumbers(o: TrainOptions): void {
  const isWhole = (v: number): boolean => Number.isSafeInteger(v) && v > 0
  const isPositive = (v: number): boolean => Number.isFinite(v) && v > 0
  const rules = [
    ['epochs', o.epochs, isWhole, 'a whole number of at least 1'],
    ['batchSize', o.batchSize, isWhole, 'a whole number of at least 1'],
    ['patience', o.patience, isWhole, 'a whole number of at least 1'],
    ['plateau.patience', o.plateau?.patience, isWhole, 'a whole number of at least 1'],
    ['plateau.factor', o.plateau?.factor, (v: number) => v > 0 && v < 1, 'between 0 and 1'],
    ['learningRate', o.learningRate, isPositive, 'a number above 0'],
    ['clipNorm', o.clipNorm, isPositive, 'a number above 0'],
    ['mixup', o.mixup, isPositive, 'a number above 0'],
    ['averaging', o.averaging, (v: number) => v > 0 && v < 1, 'between 0 and 1'],
  ] as const
  for (const [where, value, test, doc] of rules) {
    if (value === undefined || test(value)) continue
    throw new PareError('TRAIN_OPTION', `${where} must be ${doc}`, {
      where,
      value,
      remedy: 'Change or leave out this option.',
    })
  }
}
