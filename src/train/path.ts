/**
 * The strength of a penalty, chosen: a network is trained along strengths from weak to strong, each from the weights of
 * the one before, and cross-validation or a criterion says how far (as glmnet does for linear models, the other way round:
 * Friedman, Hastie and Tibshirani 2010, section 2.5). A network starts dense, for zeros seldom come back in it.
 */

import { isFloat } from '../ir/dtypes.js'
import { numbers } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { random } from '../util/random.js'
import { part, shuffled, withoutRows } from './dataset.js'
import { scoreOf } from './evaluate.js'
import { parametersOf } from './parameters.js'
import type { PenaltyChoice } from './penalized.js'
import { type Trained, type TrainOptions, train } from './train.js'

/**
 * - `cv`: the strongest whose mean loss on left-out folds is within one standard error of the least.
 * - `aic`, `bic`: the least −2 ln L + 2 k, or + k ln n, k being the parameters that are not zero.
 */
export type PathSelection = 'cv' | 'aic' | 'bic'

export interface PathOptions extends Omit<TrainOptions, 'validation' | 'resume' | 'onCheckpoint' | 'grid' | 'bestBy'> {
  /** The penalty of a strength; `penalties` are others, which stay. */
  readonly penalty: (strength: number) => PenaltyChoice
  /**
   * From weak to strong. Default: ten, from 1e-5 to 0.3 of how steep the loss is: 1, or of squared errors √ of the loss of
   * the model that was given.
   */
  readonly strengths?: readonly number[]
  readonly select?: PathSelection
  /** Of `cv`. Default 5. */
  readonly folds?: number
}

export interface PathPoint {
  readonly strength: number
  /** Without penalties: of `cv` the mean over left-out folds, else on the training data. */
  readonly loss: number
  /** Of `cv`: the standard error of that mean. */
  readonly error?: number
  /** Of `aic` and `bic`. */
  readonly criterion?: number
  /** Not zero, with all data; of `cv` known up to the chosen strength. */
  readonly parameters?: number
}

export interface TrainedPath {
  readonly points: readonly PathPoint[]
  /** Its place among the points. */
  readonly chosen: number
  /** At the chosen strength, on all data. */
  readonly trained: Trained
}

/** Parts of the data that `cv` leaves out in turn, where none are given. */
export const FOLDS = 5
/** Parts of the loss's steepness that strengths are tried at. */
const PARTS: readonly number[] = Array.from({ length: 10 }, (_, i) => 10 ** (-5 + i / 2))

/**
 * Throws what `train` throws, `TRAIN_OPTION` for strengths that do not rise and for folds beyond the samples, and
 * `TRAIN_SELECT` for a loss without a likelihood or a penalty that makes no zeros, where a criterion counts them.
 */
export async function trainPath(model: Model, options: PathOptions): Promise<TrainedPath> {
  const { select = 'cv', engine, data, loss, shapes } = options
  const scoring = { engine, loss, ...(shapes && { shapes }) }
  const strengths = checkedStrengths(options.strengths ?? (await usualStrengths(model, { ...scoring, data })))
  const likelihood = select === 'cv' ? null : likelihoodOf(options, strengths[0]!)
  if (likelihood === null) {
    const losses = await crossValidated(model, strengths, options)
    const chosen = strongestWithin(losses)
    const legs = await walk(model, strengths.slice(0, chosen + 1), options)
    const points = losses.map((own, i) => ({
      strength: strengths[i]!,
      ...meanOf(own),
      ...(legs[i] && { parameters: countOf(legs[i].model, options) }),
    }))
    return { points, chosen, trained: legs[chosen]! }
  }
  const legs = await walk(model, strengths, options)
  const points: Required<Omit<PathPoint, 'error'>>[] = []
  for (const [i, leg] of legs.entries()) {
    const { loss: mean } = await scoreOf(leg.model, { ...scoring, data })
    const parameters = countOf(leg.model, options)
    const price = select === 'aic' ? 2 : Math.log(observationsOf(options))
    points.push({
      strength: strengths[i]!,
      loss: mean,
      parameters,
      criterion: likelihood(mean) + price * parameters,
    })
  }
  const chosen = points.reduce((best, p, i) => (p.criterion <= points[best]!.criterion ? i : best), 0)
  return { points, chosen, trained: legs[chosen]! }
}

async function usualStrengths(model: Model, options: Parameters<typeof scoreOf>[1]): Promise<readonly number[]> {
  const { loss } = await scoreOf(model, options)
  const steepness = nameOf(options.loss) === 'squared error' ? Math.sqrt(loss) : 1
  return PARTS.map((share) => share * (steepness || 1))
}

function checkedStrengths(strengths: readonly number[]): readonly number[] {
  const isRising = strengths.every((s, i) => s > (i === 0 ? 0 : strengths[i - 1]!) && Number.isFinite(s))
  if (strengths.length > 0 && isRising) return strengths
  throw new PareError('TRAIN_OPTION', 'strengths must be numbers above 0 that rise, at least one', {
    where: 'strengths',
    value: strengths,
    remedy: 'Change or leave out this option.',
  })
}

/** One training a strength, each from where the last one ended. */
async function walk(model: Model, strengths: readonly number[], options: PathOptions): Promise<readonly Trained[]> {
  const { penalty, penalties = [], strengths: _, select: __, folds: ___, ...rest } = options
  const legs: Trained[] = []
  for (const [i, strength] of strengths.entries()) {
    options.signal?.throwIfAborted()
    legs.push(
      await train(legs.at(-1)?.model ?? model, {
        ...rest,
        validation: null,
        penalties: [...penalties, penalty(strength)],
        onProgress: (p) => options.onProgress?.({ ...p, detail: `strength ${i + 1} of ${strengths.length}` }),
      }),
    )
  }
  return legs
}

/** By strength: the loss on each left-out fold. */
async function crossValidated(
  model: Model,
  strengths: readonly number[],
  options: PathOptions,
): Promise<readonly (readonly number[])[]> {
  const { data, folds = FOLDS, seed = 0, engine, loss, shapes } = options
  if (!Number.isSafeInteger(folds) || folds < 2 || folds > data.count) throw badFolds(folds, data.count)
  const all = shuffled(data, random(seed).fork(-2))
  const losses: number[][] = strengths.map(() => [])
  for (let fold = 0; fold < folds; fold++) {
    const [from, to] = [fold, fold + 1].map((f) => Math.round((f * all.count) / folds)) as [number, number]
    const legs = await walk(model, strengths, { ...options, data: withoutRows(all, from, to) })
    for (const [i, leg] of legs.entries()) {
      const score = await scoreOf(leg.model, { engine, loss, data: part(all, from, to), ...(shapes && { shapes }) })
      losses[i]!.push(score.loss)
    }
  }
  return losses
}

const badFolds = (folds: number, samples: number): PareError =>
  new PareError('TRAIN_OPTION', `folds must be a whole number from 2 to the number of samples, ${samples}`, {
    where: 'folds',
    value: folds,
    remedy: 'Change or leave out this option.',
  })

function meanOf(values: readonly number[]): { readonly loss: number; readonly error: number } {
  const loss = values.reduce((a, b) => a + b, 0) / values.length
  const squares = values.reduce((sum, v) => sum + (v - loss) ** 2, 0)
  return { loss, error: Math.sqrt(squares / (values.length - 1) / values.length) }
}

/** The one-standard-error rule (Breiman et al. 1984, section 3.4.3); a loss that is no number is beyond it. */
function strongestWithin(losses: readonly (readonly number[])[]): number {
  const means = losses.map(meanOf)
  const least = means.reduce((best, m) => (m.loss < best.loss || Number.isNaN(best.loss) ? m : best))
  return Math.max(
    0,
    means.findLastIndex(({ loss }) => loss <= least.loss + least.error),
  )
}

/** Parameters that are not zero. */
function countOf(model: Model, { freeze }: Pick<PathOptions, 'freeze'>): number {
  let count = 0
  for (const name of parametersOf(model, freeze)) {
    const t = model.graph.constants.get(name)
    if (t && isFloat(t.dtype)) for (const v of numbers(t)) if (v !== 0) count++
  }
  return count
}

/** The loss, where there is one of weight 1; several by all their names. */
function nameOf(loss: PathOptions['loss']): string {
  if ('emit' in loss) return loss.name
  return loss.map(({ loss: { name }, weight = 1 }) => (weight === 1 ? name : `${weight} × ${name}`)).join(' + ')
}

/** Numbers, or classes, that the loss is a mean over. */
const observationsOf = ({ data }: PathOptions): number =>
  [...data.targets.values()].reduce((n, column) => n + column.data.length, 0)

/** −2 ln L from the mean loss; of squared errors up to a constant, the variance being the mean. */
function likelihoodOf(options: PathOptions, strength: number): (mean: number) => number {
  const name = nameOf(options.loss)
  const { penalty } = options.penalty(strength)
  if (penalty.name === 'l2') throw noSelection('this penalty makes no zeros that a criterion could count', penalty.name)
  const n = observationsOf(options)
  if (name === 'cross-entropy' || name === 'binary cross-entropy') return (mean) => 2 * n * mean
  if (name === 'squared error') return (mean) => n * Math.log(Math.max(mean, 1e-300))
  throw noSelection('this loss is no likelihood that a criterion could count', name)
}

const noSelection = (what: string, value: string): PareError =>
  new PareError('TRAIN_SELECT', what, { value, remedy: 'Choose by cv.' })
