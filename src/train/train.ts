/** Trains a model by gradient descent: what a user calls. */

import type { Engine, Session } from '../engine/engine.js'
import type { Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { RunOptions } from '../util/env.js'
import type { Augment } from './augment.js'
import { trainingBlock } from './block.js'
import { checkRates } from './check-options.js'
import { type Checkpoint, checkCheckpoint, runDigest } from './checkpoint.js'
import type { Dataset } from './dataset.js'
import { areFinite, diverged } from './divergence.js'
import { withoutDropout } from './dropout.js'
import { openEvaluator, type Score } from './evaluate.js'
import {
  type FakeQuantizeOptions,
  isHeldGrid,
  type TrainedGrid,
  weightsOnGrid,
  withFakeQuantization,
} from './fake-quantize.js'
import { rowsOfStep, type States } from './feeds.js'
import { type SoftGrid, weightsOnLevels } from './grids/soft.js'
import { type Epoch, loop, type Plateau, type Run } from './loop.js'
import type { Loss } from './losses/loss.js'
import { costOf } from './metrics/cost.js'
import type { TrainMetric } from './metrics/metric.js'
import type { Objective } from './objective.js'
import { adam } from './optimizers/adam.js'
import type { Optimizer } from './optimizers/optimizer.js'
import { withoutBiases, withParameters } from './parameters.js'
import { type PenaltyChoice, penalized } from './penalized.js'
import { EPOCHS, type Ready, readied } from './ready.js'
import { constant, type Schedule } from './schedules.js'
import { type TrainingStep, trainingStep } from './step.js'

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
   * What does not fill a batch at the end of an epoch is left for others. Default 32. Where the model fixes it,
   * as many of its batches as fit make one step (see `accumulate`); where it fixes it at 1 and nothing depends on that,
   * the batch is opened.
   */
  readonly batchSize?: number
  /** Batches whose gradients are averaged before a step: one step of a batch that large, in less memory. Default 1. */
  readonly accumulate?: number
  /** Patterns of weights, or of the nodes that read them, that stay as they are. */
  readonly freeze?: readonly string[]
  /**
   * Exact zeros in weights of at least two axes stay zeros, as pruning leaves them; those that a proximal penalty makes on
   * the way do too. Biases move, whatever their axes. Default false.
   */
  readonly keepZeros?: boolean
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
   * those of the rounded model. With any but `int8` and `int4` the weights that are handed back are on the grid.
   */
  readonly grid?: TrainedGrid | SoftGrid
  /** Other dimensions than the batch that the model leaves open. */
  readonly shapes?: InputShapes
  /** Normalize over the batch, let running statistics move, and let Dropout drop. Default true. */
  readonly isTraining?: boolean
  /** What is told of each epoch beside the loss; accuracy is, wherever targets are classes. */
  readonly metrics?: readonly TrainMetric[]
  /** Decides in place of the loss which weights are best, when to stop, and what a plateau is. */
  readonly bestBy?: TrainMetric
  /**
   * Stop after so many epochs without one that is the best so far, by the validation loss or `bestBy`; without validation
   * by the training loss. Default: never.
   */
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

/**
 * Trains a model by gradient descent. Throws `GRADIENT_…`, `TRAIN_…`, `PENALTY_STEP`, and what the engine throws;
 * `ABORTED` once the signal fired.
 */
export async function train(model: Model, options: TrainOptions): Promise<Trained> {
  const { engine, workers = [], patience = Number.POSITIVE_INFINITY, plateau = null } = options
  const ready = await readied(model, options)
  const held = heldBy(ready, options.grid)
  const { bytes, ...plan } = await planned(ready, options)
  const sessions: Session[] = []
  let judge: Judge | null = null
  try {
    for (const worker of [engine, ...workers]) sessions.push(await worker.load(bytes))
    judge = await openJudge(ready, plan.step, held, options)
    const score = judge?.score ?? null
    const run: Run = { ...options, ...plan, sessions, patience, plateau, score, cost: costOf(options.bestBy) }
    return await finished(run, ready, held, await loop(run, options.resume ?? null))
  } finally {
    await judge?.close()
    for (const session of sessions) await session.close()
  }
}

/** The step in blocks, as the engine loads them, and how steps follow each other. */
async function planned(ready: Ready, options: TrainOptions) {
  const { plain, form, parts, objectives, trainable, data, validation } = ready
  const { seed = 0, epochs = EPOCHS, optimizer = adam(), schedule = constant(), resume } = options
  const { clipNorm, averaging, keepZeros = false } = options
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
    ...(keepZeros && { keepZeros: withoutBiases(plain, trainable) }),
  })
  const total = epochs * Math.floor(data.count / rowsOfStep({ step, form }))
  const learningRate = options.learningRate ?? rateOf(options.grid, total) ?? optimizer.learningRate
  checkRates({ base: learningRate, schedule, total, penalties })
  const block = trainingBlock(step)
  const { bytes } = encodeModel(block.model)
  const plan = { step, block, form, data, seed, epochs, learningRate, schedule }
  const isKept = resume !== undefined || options.onCheckpoint !== undefined
  const digest = isKept ? await runDigest(bytes, { ...options, ...plan, validation }) : ''
  if (resume) checkCheckpoint(resume, step, digest)
  return { ...plan, bytes, digest }
}

/** Half a cosine is half as long as a constant rate. */
const rateOf = (grid: TrainOptions['grid'], steps: number): number | undefined =>
  typeof grid === 'object' ? (2 * grid.travel) / Math.max(1, steps) : undefined

interface Judge {
  score(states: States): Promise<Score>
  close(): Promise<void>
}

/** Null where there is nothing to judge by. */
async function openJudge(ready: Ready, step: TrainingStep, held: Hold, options: TrainOptions): Promise<Judge | null> {
  const { plain, form, trainable, float, aims, metrics, validation } = ready
  if (validation === null) return null
  const judged = judgedForm(plain, { ...options, trainable, float })
  const evaluator = await openEvaluator(judged, {
    engine: options.engine,
    float,
    aims,
    metrics,
    // What changes beside the weights, the model that is judged may do without.
    parameters: [...step.parameters.keys()].filter((name) => judged.graph.constants.has(name)),
    batchSize: form.batchSize,
    isBatchOpen: form.isBatchOpen,
  })
  return {
    score: (states) => evaluator.score(held(parametersIn(step, states)), validation, options.signal),
    close: () => evaluator.close(),
  }
}

/** The model as it will run; weights that come from outside may be on their grid already. */
function judgedForm(
  plain: Model,
  { grid, trainable, float }: Pick<TrainOptions, 'grid'> & Pick<FakeQuantizeOptions, 'trainable' | 'float'>,
): Model {
  return withoutDropout(
    typeof grid === 'string' && !isHeldGrid(grid)
      ? withFakeQuantization(plain, { trainable, grid, float, isTraining: false }).model
      : plain,
  )
}

type Weights = ReadonlyMap<string, Tensor>
type Hold = (weights: Weights) => Weights

/** Weights as they are judged and handed back: on a grid that holds them, so that storing loses nothing. */
const heldBy =
  ({ plain, trainable }: Ready, grid: TrainOptions['grid']): Hold =>
  (weights) => {
    if (typeof grid === 'object') return weightsOnLevels(grid, weights)
    return isHeldGrid(grid) ? weightsOnGrid(plain.graph, grid, weights, trainable) : weights
  }

async function finished(
  run: Run,
  { given, fixed }: Ready,
  held: Hold,
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
  const weights = held(new Map([...parameters].filter(([name]) => fixed.graph.constants.has(name))))
  // What was raised to another opset may hold its weights under other names.
  const isKept = [...weights.keys()].every((name) => given.graph.constants.has(name))
  return {
    model: withoutDropout(withParameters(isKept ? given : fixed, weights)),
    epochs: history,
    best: score === null ? history.length : best.epoch,
    steps,
    ...(before && { before }),
  }
}

const parametersIn = ({ parameters }: TrainingStep, states: States): Weights =>
  new Map([...parameters].map(([name, state]) => [name, states.get(state)!]))
