/** The training loop: shuffled batches in blocks of steps, a score after each epoch, the best weights in the end. */

import { atGradientOpset } from '../autodiff/gradient.js'
import type { Engine, Session } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { f32, numbers, scalar } from '../ir/tensor.js'
import type { Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { shapeOf } from '../ops/def.js'
import { isStatic } from '../ops/shapes.js'
import { factFinder } from '../passes/facts.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { Penalty } from '../penalties/penalty.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { random } from '../util/random.js'
import { type Block, trainingBlock } from './block.js'
import { type Dataset, gather, part } from './dataset.js'
import { openEvaluator, type Score } from './evaluate.js'
import type { Loss } from './losses/loss.js'
import { adam } from './optimizers/adam.js'
import type { Optimizer } from './optimizers/optimizer.js'
import { constant, type Schedule } from './schedules.js'
import { type Penalized, type TrainingStep, trainingStep } from './step.js'
import {
  batchSymbol,
  matching,
  parametersOf,
  withBatchSize,
  withBatchStatistics,
  withParameters,
} from './training-form.js'

export interface TrainOptions extends RunOptions {
  readonly engine: Engine
  /** Already in a changing order or not: it is shuffled anew each epoch, by `seed`. */
  readonly data: Dataset
  /** Judges after each epoch. Default: the last tenth of `data`, in an order drawn by `seed`; null: nothing does. */
  readonly validation?: Dataset | null
  readonly loss: Loss
  /** The output that the loss is of. Default: the only one. */
  readonly output?: string
  readonly optimizer?: Optimizer
  /** Default: the optimizer's own. */
  readonly learningRate?: number
  readonly schedule?: Schedule
  readonly epochs?: number
  /** What does not fill a batch at the end of an epoch is left for others. Default 32. */
  readonly batchSize?: number
  /** Patterns of weights, or of the nodes that read them, that stay as they are. */
  readonly freeze?: readonly string[]
  readonly penalties?: readonly PenaltyChoice[]
  /** Largest norm of a step's gradients, all together. Default: any. */
  readonly clipNorm?: number
  /** Other dimensions than the batch that the model leaves open. */
  readonly shapes?: InputShapes
  /** Normalize over the batch and let running statistics move. Default true. */
  readonly batchStatistics?: boolean
  /** Stop after so many epochs in which the validation loss did not fall. Default: never. */
  readonly patience?: number
  readonly onEpoch?: (epoch: Epoch) => void
}

export interface PenaltyChoice {
  readonly penalty: Penalty
  /** Patterns of the weights it is on. Default: those with at least two axes, so not biases. */
  readonly on?: readonly string[]
  /** As a step of its own after each update, so that weights become exactly zero. Default: of all but `l2`. */
  readonly proximal?: boolean
}

export interface Epoch {
  /** From 1. */
  readonly epoch: number
  readonly learningRate: number
  /** Mean over the epoch's steps, while they were made. */
  readonly trainingLoss: number
  readonly validation?: Score
  readonly seconds: number
}

export interface Trained {
  /** The model that was given, with the weights of the best epoch (by validation loss; else the last). */
  readonly model: Model
  readonly epochs: readonly Epoch[]
  /** Which of them the weights are from, from 1. */
  readonly best: number
  readonly steps: number
}

/** Steps of a block, at most, and the bytes of data that one may hold. */
const BLOCK_STEPS = 50
const BLOCK_BYTES = 64e6

/**
 * Trains a model by gradient descent. Throws `GRADIENT_…`, `TRAIN_…`, and what the engine throws; `ABORTED` once the
 * signal fired.
 */
export async function train(model: Model, options: TrainOptions): Promise<Trained> {
  const { engine, loss, seed = 0, epochs = 10, batchSize = 32, batchStatistics = true } = options
  const plain = await atGradientOpset(model)
  const output = options.output ?? onlyOutput(plain)
  const { data, validation } = shares(options)
  const isBatchOpen = batchSymbol(plain.graph) !== null
  const form = withBatchSize(batchStatistics ? withBatchStatistics(plain) : plain, batchSize, options.shapes)
  const size = batchOf(form)
  if (data.count < size) throw tooFew(data.count, size)
  if (validation && !isBatchOpen && validation.count < size) throw tooFew(validation.count, size)
  const optimizer = options.optimizer ?? adam()
  const trainable = parametersOf(plain, options.freeze)
  if (trainable.length === 0) throw nothingToTrain()
  checkTypes(plain, trainable)
  const penalties = (options.penalties ?? []).map((choice) => penalized(plain, trainable, choice))
  const clip = options.clipNorm === undefined ? {} : { clipNorm: options.clipNorm }
  const step = trainingStep(form, { loss, output, trainable, optimizer, penalties, ...clip })
  const block = trainingBlock(step)

  const outputShape = shapeOf(factFinder(form)(output))
  if (!isStatic(outputShape)) throw new Error('a step knows the shape of its output')
  const evaluator =
    validation &&
    (await openEvaluator(plain, {
      engine,
      loss,
      output,
      outputShape,
      parameters: step.parameters,
      batchSize: size,
      isBatchOpen,
    }))
  const session = await engine.load(encodeModel(block.model).bytes)
  try {
    const run = { ...options, session, step, block, size, seed, epochs, data }
    return await loop(
      run,
      model,
      async (states) => evaluator && validation && evaluator.score(parametersIn(step, states), validation),
    )
  } finally {
    await session.close()
    await evaluator?.close()
  }
}

function penalized(model: Model, trainable: readonly string[], { penalty, on, proximal }: PenaltyChoice): Penalized {
  const chosen = on === undefined ? null : new Set(matching(model, on))
  const isOn = (name: string): boolean => chosen?.has(name) ?? model.graph.constants.get(name)!.shape.length >= 2
  const weights = trainable.filter(isOn)
  if (weights.length > 0) return { penalty, weights, proximal: proximal ?? penalty.name !== 'l2' }
  throw new PareError('TRAIN_PENALTY', `the penalty ${penalty.name} is on no weight that is trained`, {
    value: on ?? 'weights of two axes and more',
    remedy: 'Name the weights with `on`; `pare inspect` lists them.',
  })
}

interface Run extends TrainOptions {
  readonly session: Session
  readonly step: TrainingStep
  readonly block: Block
  readonly size: number
  readonly seed: number
  readonly epochs: number
}

/** The states of a step, by name. */
type States = ReadonlyMap<string, Tensor>

async function loop(
  run: Run,
  model: Model,
  score: (states: States) => Promise<Score | null | undefined>,
): Promise<Trained> {
  const { step, data, size, epochs, seed, patience = Number.POSITIVE_INFINITY } = run
  const perEpoch = Math.floor(data.count / size)
  const generator = random(seed)
  const history: Epoch[] = []
  let states: States = new Map(step.states.map((s) => [s.name, s.initial]))
  let best = { loss: Number.POSITIVE_INFINITY, epoch: 0, states }
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const begin = performance.now()
    const order = generator.fork(epoch).shuffle(Uint32Array.from({ length: data.count }, (_, i) => i))
    const made = await oneEpoch(run, states, order, epoch, perEpoch)
    states = made.states
    const validation = await score(states)
    const row = {
      epoch,
      learningRate: made.learningRate,
      trainingLoss: made.loss,
      ...(validation && { validation }),
      seconds: (performance.now() - begin) / 1000,
    }
    if (validation && !Number.isFinite(validation.loss))
      throw diverged(epoch * perEpoch, validation.loss, made.learningRate)
    history.push(row)
    run.onEpoch?.(row)
    const judged = validation?.loss ?? Number.NEGATIVE_INFINITY
    if (judged < best.loss || validation === null || validation === undefined) best = { loss: judged, epoch, states }
    if (epoch - best.epoch >= patience) break
  }
  const weights = parametersIn(step, best.states)
  return { model: withParameters(model, weights), epochs: history, best: best.epoch, steps: history.length * perEpoch }
}

async function oneEpoch(run: Run, start: States, order: Uint32Array, epoch: number, perEpoch: number) {
  const { step, block, session, size, epochs, optimizer = adam(), schedule = constant(), signal, onProgress } = run
  const base = run.learningRate ?? optimizer.learningRate
  const total = epochs * perEpoch
  const most = blockSteps(run)
  let states = start
  let sum = 0
  let learningRate = base
  for (let from = 0; from < perEpoch; from += most) {
    throwIfAborted(signal)
    const steps = Math.min(most, perEpoch - from)
    const rows = order.subarray(from * size, (from + steps) * size)
    const first = (epoch - 1) * perEpoch + from
    const rates = Float32Array.from({ length: steps }, (_, i) => base * schedule(first + i, total))
    learningRate = rates.at(-1)!
    const numbersOf = Float32Array.from({ length: steps }, (_, i) => first + i + 1)
    const stacked = new Map<string, Tensor>([
      ...[...run.data.inputs].map(([name, column]) => [name, gather(column, rows, size)] as const),
      [step.target, gather(run.data.target, rows, size)],
      [step.learningRate, f32([steps], rates)],
      [step.step, f32([steps], numbersOf)],
    ])
    const feeds = {
      [block.steps]: scalar(steps, 'int64'),
      ...Object.fromEntries([...stacked].map(([name, t]) => [block.stacked.get(name)!, t])),
      ...Object.fromEntries(step.states.map((s, i) => [block.initials[i]!, states.get(s.name)!])),
    }
    const results = await session.run(feeds, { ...(signal && { signal }) })
    const losses = numbers(results[block.losses]!)
    const bad = losses.findIndex((v) => !Number.isFinite(v))
    if (bad >= 0) throw diverged(first + bad + 1, losses[bad]!, learningRate)
    for (const v of losses) sum += v
    states = new Map(step.states.map((s, i) => [s.name, results[block.finals[i]!]!]))
    onProgress?.({
      task: `epoch ${epoch} of ${epochs}, loss ${losses.at(-1)!.toPrecision(3)}`,
      done: first + steps,
      total,
    })
  }
  return { states, loss: sum / perEpoch, learningRate }
}

function blockSteps({ data, size }: Run): number {
  const bytes = [...data.inputs.values(), data.target].reduce((n, c) => n + (c.data.byteLength / data.count) * size, 0)
  return Math.max(1, Math.min(BLOCK_STEPS, Math.floor(BLOCK_BYTES / bytes)))
}

/** What trains and what judges. */
function shares({ data, validation, seed = 0 }: TrainOptions): {
  readonly data: Dataset
  readonly validation: Dataset | null
} {
  if (validation !== undefined) return { data, validation }
  const order = random(seed)
    .fork(-1)
    .shuffle(Uint32Array.from({ length: data.count }, (_, i) => i))
  const shuffled: Dataset = {
    count: data.count,
    inputs: new Map([...data.inputs].map(([name, c]) => [name, { ...c, data: dataOf(gather(c, order), c) }])),
    target: { ...data.target, data: dataOf(gather(data.target, order), data.target) },
  }
  const kept = Math.ceil(0.9 * data.count)
  return { data: part(shuffled, 0, kept), validation: kept < data.count ? part(shuffled, kept, data.count) : null }
}

const dataOf = (t: Tensor, { data }: { readonly data: Dataset['target']['data'] }): Dataset['target']['data'] => {
  const bytes = t.bytes()
  return new (data.constructor as new (b: ArrayBufferLike, at: number, n: number) => typeof data)(
    bytes.buffer,
    bytes.byteOffset,
    data.length,
  )
}

const parametersIn = (step: TrainingStep, states: States): ReadonlyMap<string, Tensor> =>
  new Map(step.parameters.map((name) => [name, states.get(name)!]))

function batchOf({ graph }: Model): number {
  const value = graph.values.get(graph.inputs[0] ?? '')
  const size = value?.kind === 'tensor' ? value.shape?.[0] : undefined
  return typeof size === 'number' && size > 0 ? size : 1
}

function onlyOutput({ graph }: Model): string {
  if (graph.outputs.length === 1) return graph.outputs[0]!
  throw new PareError('TRAIN_OUTPUT', 'the model has several outputs, and the loss is of one', {
    value: graph.outputs,
    remedy: 'Name it with `output`.',
  })
}

const tooFew = (count: number, size: number): PareError =>
  new PareError('TRAIN_EMPTY', 'there are fewer samples than a batch holds', {
    value: `${count} samples, batches of ${size}`,
    remedy: 'Give more samples or a smaller batch size.',
  })

function checkTypes({ graph }: Model, trainable: readonly string[]): void {
  const odd = trainable.find((name) => graph.constants.get(name)!.dtype !== 'float32')
  if (odd === undefined) return
  throw new PareError('TRAIN_DTYPE', 'weights are trained in float32', {
    where: odd,
    value: graph.constants.get(odd)!.dtype,
    remedy: 'Give the float32 model, or freeze this weight.',
  })
}

const nothingToTrain = (): PareError =>
  new PareError('TRAIN_FROZEN', 'nothing is left to train', {
    remedy: 'Freeze fewer weights; `pare inspect` lists them.',
  })

const diverged = (step: number, loss: number, rate: number): PareError =>
  new PareError('TRAIN_DIVERGED', `the loss is no finite number any more, at step ${step}`, {
    value: loss,
    remedy: `Lower the learning rate (it was ${rate.toPrecision(3)}), or look for extreme values in the data.`,
  })
