/** Trains a model by gradient descent: what a user calls. */

import type { Engine, Session } from '../engine/engine.js'
import { builder } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import type { Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { RunOptions } from '../util/env.js'
import { random } from '../util/random.js'
import type { Augment } from './augment.js'
import { trainingBlock } from './block.js'
import { checkDataset } from './check-dataset.js'
import { checkOptions, checkRates } from './check-options.js'
import { type Checkpoint, checkCheckpoint, runDigest } from './checkpoint.js'
import { type Dataset, part, shuffled } from './dataset.js'
import { areFinite, diverged } from './divergence.js'
import { withoutDropout } from './dropout.js'
import { type Evaluator, openEvaluator, type Score } from './evaluate.js'
import { type FakeQuantizeOptions, isSignGrid, type TrainedGrid, withFakeQuantization } from './fake-quantize.js'
import { rowsOfStep, type States } from './feeds.js'
import { weightsOnSigns } from './grids/signs.js'
import { type Epoch, loop, type Plateau, type Run } from './loop.js'
import type { Loss } from './losses/loss.js'
import { bindMetrics } from './metrics/bind.js'
import { costOf, nothingToJudgeBy } from './metrics/cost.js'
import type { TrainMetric } from './metrics/metric.js'
import { aimsOf, type Objective, objectivesOf } from './objective.js'
import { withOpenBatch } from './open-batch.js'
import { adam } from './optimizers/adam.js'
import type { Optimizer } from './optimizers/optimizer.js'
import { parametersOf, withParameters } from './parameters.js'
import { floatOf } from './pass.js'
import { nothingToTrain, type PenaltyChoice, penalized } from './penalized.js'
import { prepare } from './prepare.js'
import { constant, type Schedule } from './schedules.js'
import { type TrainingStep, trainingStep } from './step.js'
import { trainingForm } from './training-form.js'

export interface TrainOptions extends RunOptions {
  readonly engine: Engine
  /** Further engines that train beside it, each on batches of its own; their weights are averaged every 50 steps or sooner. */
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
  /**
   * What does not fill a batch at the end of an epoch is left for others. Default 32. Where the model fixes it, batches
   * are of that size; where it fixes it at 1 and nothing depends on that, they are not.
   */
  readonly batchSize?: number
  /** Batches whose gradients are averaged before a step: one step of a batch that large, in less memory. Default 1. */
  readonly accumulate?: number
  /** Patterns of weights, or of the nodes that read them, that stay as they are. */
  readonly freeze?: readonly string[]
  readonly penalties?: readonly PenaltyChoice[]
  /** Largest norm of a step's gradients, all together. Default: any. */
  readonly clipNorm?: number
  /**
   * The weights that are judged and handed back are means over the steps, of which so much stays at each: 0.999, say.
   * Not with proximal penalties: a mean has no exact zeros.
   */
  readonly averaging?: number
  /** α of mixup, which mixes samples and targets in pairs: 0.2, say. Default: none. */
  readonly mixup?: number
  readonly augment?: Augment
  /**
   * Quantization-aware: round to this grid in the forward pass, so that the weights suit `quantize` afterwards. Scores are
   * those of the rounded model. With `binary` and `ternary` the weights that are handed back are on the grid.
   */
  readonly grid?: TrainedGrid
  /** Other dimensions than the batch that the model leaves open. */
  readonly shapes?: InputShapes
  /** Normalize over the batch, let running statistics move, and let Dropout drop. Default true. */
  readonly isTraining?: boolean
  /** What is told of each epoch beside the loss; accuracy is, wherever targets are classes. */
  readonly metrics?: readonly TrainMetric[]
  /** Decides in place of the loss which weights are best, when to stop, and what a plateau is. */
  readonly bestBy?: TrainMetric
  /** Stop after so many epochs in which the loss that judges did not fall. Default: never. */
  readonly patience?: number
  readonly onEpoch?: (epoch: Epoch) => void
  /** Called after each epoch with all that is needed to go on from there. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void | Promise<void>
  /** Goes on from there: with the same options the outcome is that of a run that never stopped, bit for bit. */
  readonly resume?: Checkpoint
}

export interface Trained {
  /**
   * The model that was given, with the weights of the best epoch (by validation loss or `bestBy`; else the last), without
   * Dropout; at opset 21 where its weights had to be written in another form for training.
   */
  readonly model: Model
  readonly epochs: readonly Epoch[]
  /** Which of them the weights are from, from 1; 0 where none was better than the weights that were given. */
  readonly best: number
  readonly steps: number
  /** The score of the weights that were given, where there is something to judge by. */
  readonly before?: Score
}

const DEFAULT_BATCH = 32

/**
 * Trains a model by gradient descent. Throws `GRADIENT_…`, `TRAIN_…`, `PENALTY_STEP`, and what the engine throws;
 * `ABORTED` once the signal fired.
 */
export async function train(model: Model, options: TrainOptions): Promise<Trained> {
  checkOptions(options)
  const { engine, seed = 0, epochs = 10, optimizer = adam(), schedule = constant(), signal } = options
  const { data, validation } = shares(options)
  const batchSize = options.batchSize ?? Math.min(DEFAULT_BATCH, data.count)
  const { model: fixed, keepsConstants } = await prepare(model)
  const objectives = objectivesOf(fixed, options.loss)
  const trainable = parametersOf(fixed, options.freeze)
  if (trainable.length === 0) throw nothingToTrain()
  const float = floatOf(fixed, trainable)
  const values = objectives.map((o) => o.output)
  const tried =
    batchSize > 1 ? await withOpenBatch(fixed, { data, engine, values, trainable, ...(signal && { signal }) }) : null
  const plain = tried ?? fixed
  const isMixed = options.mixup !== undefined
  const form = trainingForm(plain, { ...options, batchSize, seed, float, trainable, isMixed })
  warnOfFixedBatch(form.batchSize, options)
  const needs = { model: form.model, inputs: plain.graph.inputs, objectives, float }
  const parts = options.accumulate ?? 1
  checkDataset(data, { ...needs, batchSize: form.batchSize, parts, what: 'data' })
  warnOfLeftOver(data.count, parts * form.batchSize, options)
  const batchSizeOfScore = form.isBatchOpen ? 1 : form.batchSize
  if (validation) checkDataset(validation, { ...needs, batchSize: batchSizeOfScore, what: 'validation' })
  const { clipNorm, averaging } = options
  const penalties = (options.penalties ?? []).map((choice) => penalized(plain, trainable, choice))
  const step = trainingStep(form.model, {
    objectives,
    trainable,
    optimizer,
    penalties,
    mix: form.mix,
    detached: form.detached,
    parts,
    running: form.running,
    before: plain.graph,
    ...(clipNorm !== undefined && { clipNorm }),
    ...(averaging !== undefined && { averaging }),
  })
  const learningRate = options.learningRate ?? optimizer.learningRate
  const total = epochs * Math.floor(data.count / rowsOfStep({ step, form }))
  checkRates({ base: learningRate, schedule, total, penalties })
  const block = trainingBlock(step)
  const { bytes } = encodeModel(block.model)
  const plan = { step, block, form, data, seed, epochs, learningRate, schedule }
  const isKept = options.resume !== undefined || options.onCheckpoint !== undefined
  const digest = isKept ? await runDigest(bytes, { ...options, ...plan, validation }) : ''
  if (options.resume) checkCheckpoint(options.resume, step, digest)

  const sessions: Session[] = []
  let evaluator: Evaluator | null = null
  try {
    for (const worker of [engine, ...(options.workers ?? [])]) sessions.push(await worker.load(bytes))
    const aims = aimsOf(builder(allNames(form.model.graph)), form.model, objectives)
    const parameters = [...step.parameters.keys()]
    const { batchSize: size, isBatchOpen } = form
    const { bestBy } = options
    const metrics = bindMetrics([...(options.metrics ?? []), ...(bestBy ? [bestBy] : [])], aims)
    if (bestBy && !validation) throw nothingToJudgeBy(bestBy)
    if (validation)
      evaluator = await openEvaluator(judgedForm(plain, { ...options, trainable, float }), {
        engine,
        float,
        aims,
        metrics,
        parameters,
        batchSize: size,
        isBatchOpen,
      })
    const held = heldBy(plain, options.grid)
    const score =
      evaluator && ((states: States) => evaluator!.score(held(parametersIn(step, states)), validation!, signal))
    const { patience = Number.POSITIVE_INFINITY, plateau = null } = options
    const run: Run = { ...options, ...plan, sessions, patience, plateau, digest, score, cost: costOf(bestBy) }
    return await finished(
      run,
      { given: keepsConstants ? model : fixed, plain: fixed, held },
      await loop(run, options.resume ?? null),
    )
  } finally {
    await evaluator?.close()
    for (const session of sessions) await session.close()
  }
}

/** The model as it will run; weights that come from outside may be on their grid already. */
function judgedForm(
  plain: Model,
  { grid, trainable, float }: Pick<TrainOptions, 'grid'> & Pick<FakeQuantizeOptions, 'trainable' | 'float'>,
): Model {
  const isRounded = grid !== undefined && !isSignGrid(grid)
  return withoutDropout(
    isRounded ? withFakeQuantization(plain, { trainable, grid, float, isTraining: false }).model : plain,
  )
}

type Weights = ReadonlyMap<string, Tensor>

/** Weights as they are judged and handed back: those of two or three values hold them, so that storing loses nothing. */
const heldBy =
  ({ graph }: Model, grid: TrainedGrid | undefined) =>
  (weights: Weights): Weights =>
    isSignGrid(grid) ? weightsOnSigns(graph, grid, weights) : weights

interface Models {
  readonly given: Model
  /** As it was prepared for training. */
  readonly plain: Model
  readonly held: (weights: Weights) => Weights
}

async function finished(
  run: Run,
  { given, plain, held }: Models,
  { history, best, states, before }: Checkpoint,
): Promise<Trained> {
  const { step, data, score } = run
  const chosen = score === null ? states : best.states
  const parameters = parametersIn(step, chosen)
  const steps = history.length * Math.floor(data.count / rowsOfStep(run))
  if (![...parameters.values()].every(areFinite))
    throw await diverged(
      { ...run, session: run.sessions[0]! },
      { loss: Number.NaN, step: steps, rate: history.at(-1)!.learningRate, states: chosen },
    )
  // Running ranges are of no use outside of training.
  const weights = held(new Map([...parameters].filter(([name]) => plain.graph.constants.has(name))))
  // What was raised to another opset may hold its weights under other names.
  const isKept = [...weights.keys()].every((name) => given.graph.constants.has(name))
  return {
    model: withoutDropout(withParameters(isKept ? given : plain, weights)),
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

const parametersIn = ({ parameters }: TrainingStep, states: States): Weights =>
  new Map([...parameters].map(([name, state]) => [name, states.get(state)!]))

/** Of so much of an epoch that goes unused, a user should know. */
const MUCH = 0.1

function warnOfLeftOver(count: number, step: number, { onWarning }: TrainOptions): void {
  const left = count % step
  if (left > MUCH * count)
    onWarning?.(`Steps of ${step} samples leave ${left} of ${count} unused in each epoch, others each time.`)
}

function warnOfFixedBatch(size: number, { batchSize = size, onWarning }: TrainOptions): void {
  if (batchSize !== size) onWarning?.(`The model takes batches of ${size}: a batch size of ${batchSize} has no effect.`)
}
