/** What training needs of a model, its data and its metrics, checked before anything is made or loaded for the steps. */

import { builder, type FloatType } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import type { Model, Tensor } from '../ir/types.js'
import { random } from '../util/random.js'
import { withBatchAxis } from './batch-axis.js'
import { checkDataset } from './check-dataset.js'
import { checkOptions } from './check-options.js'
import { type Dataset, part, shuffled } from './dataset.js'
import { weightsOnLevels } from './grids/soft.js'
import { type BoundMetric, bindMetrics } from './metrics/bind.js'
import { nothingToJudgeBy } from './metrics/cost.js'
import { type Aim, aimsOf, type Objective, objectivesOf } from './objective.js'
import { withOpenBatch } from './open-batch.js'
import { parametersOf, valuesOf } from './parameters.js'
import { floatOf } from './pass.js'
import { nothingToTrain } from './penalized.js'
import { prepare } from './prepare.js'
import type { TrainOptions } from './train.js'
import { batchOf, type TrainingForm, trainingForm, withBatchSize } from './training-form.js'

const DEFAULT_BATCH = 32
export const EPOCHS = 10

/** A model and what it is trained on, found fit for each other. */
export interface Ready {
  /** What the weights that come out are put into: the model that was given, where it holds them under their names. */
  readonly given: Model
  /** As it was prepared for training. */
  readonly fixed: Model
  /** With a batch axis in front of everything, and an open one where one that was fixed at 1 does not hold. */
  readonly plain: Model
  readonly form: TrainingForm
  /** Batches that make one step: of a model whose batch is fixed, as many as fit into the size that is asked for. */
  readonly parts: number
  readonly trainable: readonly string[]
  readonly float: FloatType
  readonly objectives: readonly Required<Objective>[]
  readonly aims: readonly Aim[]
  readonly metrics: readonly BoundMetric[]
  readonly data: Dataset
  readonly validation: Dataset | null
}

/** Throws what `train` throws of options, data and metrics that do not fit. */
export async function readied(model: Model, options: TrainOptions): Promise<Ready> {
  checkOptions(options)
  const { engine, seed = 0, bestBy, signal } = options
  const { data, validation } = shares(options)
  const batchSize = options.batchSize ?? Math.min(DEFAULT_BATCH, data.count)
  const { model: fixed, keepsConstants } = await prepare(model)
  const objectives = objectivesOf(fixed, options.loss)
  const trainable = parametersOf(fixed, options.freeze)
  if (trainable.length === 0) throw nothingToTrain()
  if (bestBy && !validation) throw nothingToJudgeBy(bestBy)
  const float = floatOf(fixed, trainable)
  const values = objectives.map((o) => o.output)
  const weights = weightsOf(fixed, trainable, options.grid)
  const framed = withBatchAxis(fixed, data)
  const opened =
    batchSize > 1 ? await withOpenBatch(framed, { data, engine, values, weights, ...(signal && { signal }) }) : null
  const plain = opened ?? framed
  const isMixed = options.mixup !== undefined
  const size = batchOf(withBatchSize(plain, batchSize, options.shapes))
  const parts = (options.accumulate ?? 1) * Math.max(1, Math.floor(batchSize / size))
  const steps = (options.epochs ?? EPOCHS) * Math.floor(data.count / (parts * size))
  const form = trainingForm(plain, { ...options, batchSize, steps, seed, float, trainable, isMixed })
  warnOfFixedBatch(size, options)
  const needs = { model: form.model, inputs: plain.graph.inputs, objectives, float }
  checkDataset(data, { ...needs, batchSize: form.batchSize, parts, what: 'data' })
  warnOfLeftOver(data.count, parts * form.batchSize, options)
  const least = form.isBatchOpen ? 1 : form.batchSize
  if (validation) checkDataset(validation, { ...needs, batchSize: least, what: 'validation' })
  const aims = aimsOf(builder(allNames(form.model.graph)), form.model, objectives)
  const metrics = bindMetrics([...(options.metrics ?? []), ...(bestBy ? [bestBy] : [])], aims)
  const given = keepsConstants ? model : fixed
  return { given, fixed, plain, form, parts, trainable, float, objectives, aims, metrics, data, validation }
}

/** What the layers multiply by, of constants that may hold levels. */
function weightsOf(
  model: Model,
  trainable: readonly string[],
  grid: TrainOptions['grid'],
): ReadonlyMap<string, Tensor> {
  const values = valuesOf(model, trainable)
  return typeof grid === 'object' ? weightsOnLevels(grid, values) : values
}

/** What trains and what judges. */
function shares({ data, validation, seed = 0 }: TrainOptions): Pick<Ready, 'data' | 'validation'> {
  if (validation !== undefined) return { data, validation }
  const kept = Math.ceil(0.9 * data.count)
  if (kept === data.count) return { data, validation: null }
  const all = shuffled(data, random(seed).fork(-1))
  return { data: part(all, 0, kept), validation: part(all, kept, data.count) }
}

/** Of so much of an epoch that goes unused, a user should know. */
const MUCH = 0.1

function warnOfLeftOver(count: number, step: number, { onWarning }: TrainOptions): void {
  const left = count % step
  if (left > MUCH * count)
    onWarning?.(`Steps of ${step} samples leave ${left} of ${count} unused in each epoch, others each time.`)
}

function warnOfFixedBatch(size: number, { batchSize = size, onWarning }: TrainOptions): void {
  const taken = Math.max(1, Math.floor(batchSize / size)) * size
  if (batchSize !== taken)
    onWarning?.(`The model takes batches of ${size}: ${taken} samples take the place of a batch of ${batchSize}.`)
}
