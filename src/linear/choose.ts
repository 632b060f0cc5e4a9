/** What a Gaussian path is judged by, wherever its rows lie, and the choice of its strength. */

import type { RunOptions } from '../util/env.js'
import { type InformationCriteria, informationCriteria } from './criteria.js'
import { type CrossValidation, crossValidateBy, type PathOfPart } from './cross-moments.js'
import { crossValidate } from './cross-validate.js'
import type { DenseMatrix } from './design.js'
import { type FoldMoments, foldMomentsOf, wholeOf } from './fold-moments.js'
import type { FoldOptions } from './folds.js'
import { freedomOf } from './freedom.js'
import { gatherMoments } from './gather-moments.js'
import { type GaussianModel, type ModelOptions, pathOfModel, pathOfRows } from './gaussian-model.js'
import type { LeaveOneOut } from './leave-one-out.js'
import type { Moments } from './moments.js'
import { type LinearModel, type LinearPath, path } from './path.js'
import { precisionFor } from './precision.js'
import { ridgePath } from './ridge-path.js'
import { isForRows } from './row-path.js'
import { bestRatio, checkLeftOut, chosenBy, isCrossed, type Judged, type RatioScore, type Selection } from './select.js'

export interface ChoiceOptions extends Omit<ModelOptions, 'l1Ratio'>, Pick<RunOptions, 'onProgress'> {
  /** Default `cv`. */
  readonly select?: Selection
  /** ρ; of several, each over the same folds, the best is taken. Default 1. */
  readonly l1Ratio?: number | readonly number[]
}

interface JudgedPath extends Judged {
  readonly path: LinearPath
  readonly crossValidation: CrossValidation | null
  readonly leaveOneOut: LeaveOneOut | null
  readonly criteria: InformationCriteria | null
}

export interface Choice extends JudgedPath {
  /** All that were tried. */
  readonly ratios: readonly RatioScore[]
  /** Index into the path. */
  readonly chosen: number
  readonly linear: LinearModel
  /** Mean squared deviation of the target from its mean, as rows weigh. */
  readonly variance: number
}

/** The path of a ratio, judged; the variance of the target. */
export interface Judge {
  readonly variance: number
  judge(l1Ratio: number, progress: Pick<RunOptions, 'onProgress'>): Promise<JudgedPath>
}

/** Throws `PATH_OPTION`, `PENALTY_SHAPE`, `FOLDS`, `CRITERIA_NOISE`, `SELECT_ALONE`. */
export async function choose(options: ChoiceOptions, { judge, variance }: Judge): Promise<Choice> {
  const { select = 'cv' } = options
  const { best, ratios } = await bestRatio(select, options, judge)
  const chosen = chosenBy(select, best.crossValidation ?? best.leaveOneOut, best.criteria)
  return { ...best, ratios, chosen, linear: best.path.models[chosen]!, variance }
}

/** Whether the choice asks for folds. */
export const needsFolds = (select: Selection, model: GaussianModel | undefined): boolean =>
  isCrossed(select) || model === 'adaptive-lasso'

/** Of rows in memory: by their moments, or one by one where that is asked for or there are too many columns. */
export async function rowJudge(
  x: DenseMatrix,
  y: Float64Array,
  options: Omit<ChoiceOptions, 'l1Ratio'> & FoldOptions,
): Promise<Judge> {
  const { select = 'cv', model = 'elastic-net', weights } = options
  if (select === 'loo') return leftOutJudge(x, y, options)
  if (model === 'elastic-net' && isForRows(x)) return wideJudge(x, y, options)
  const folds = needsFolds(select, model)
    ? await foldMomentsOf(x, y, options)
    : wholeOf(await gatherMoments(x, y, { ...options, precision: precisionFor(options) }))
  return momentJudge(folds, options, (pathOf, at) => pathOfRows(pathOf, folds, x, y, weights ? { ...at, weights } : at))
}

/** Finds the path of all rows, perhaps by more than their moments. */
type WholePath = (pathOf: PathOfPart, options: ModelOptions) => Promise<LinearPath>

export function momentJudge(
  folds: FoldMoments,
  options: Omit<ChoiceOptions, 'l1Ratio'>,
  wholePath: WholePath = async (pathOf) => pathOf(folds),
): Judge {
  const { all } = folds
  const { engine, signal } = options
  const criteriaOf = criteriaBy(options, all.count, { variance: varianceOf(all), mean: all.means.at(-1)! })
  return {
    variance: varianceOf(all),
    async judge(l1Ratio, progress) {
      const given = { ...options, l1Ratio }
      const pathOf = pathOfModel(given, all.means.length - 1)
      const path = await wholePath(pathOf, given)
      const crossValidation = criteriaOf
        ? null
        : await crossValidateBy(pathOf, folds, { ...progress, ...(signal && { signal }), engine, path })
      const criteria = criteriaOf?.(path, freedomOf(all, path, given)) ?? null
      return { l1Ratio, path, crossValidation, leaveOneOut: null, criteria }
    },
  }
}

/** With more columns than moments are good for; criteria count columns. */
function wideJudge(x: DenseMatrix, y: Float64Array, options: Omit<ChoiceOptions, 'l1Ratio'> & FoldOptions): Judge {
  const spread = spreadOf(y, options.weights)
  const criteriaOf = criteriaBy(options, spread.count, spread)
  return {
    variance: spread.variance,
    async judge(l1Ratio, progress) {
      const given = { ...options, ...progress, l1Ratio }
      const crossValidation = criteriaOf ? null : await crossValidate(x, y, given)
      const found = crossValidation?.path ?? (await path(x, y, given))
      return {
        l1Ratio,
        path: found,
        crossValidation,
        leaveOneOut: null,
        criteria: criteriaOf?.(found, found.df) ?? null,
      }
    },
  }
}

/** The ridge alone. */
function leftOutJudge(x: DenseMatrix, y: Float64Array, options: Omit<ChoiceOptions, 'l1Ratio'>): Judge {
  return {
    variance: spreadOf(y, options.weights).variance,
    async judge(l1Ratio) {
      const { leaveOneOut, ...path } = await ridgePath(x, y, options)
      checkLeftOut(leaveOneOut)
      return { l1Ratio, path, crossValidation: null, leaveOneOut, criteria: null }
    },
  }
}

/** Null where folds judge. */
function criteriaBy(
  { select = 'cv', hasIntercept = true }: Omit<ChoiceOptions, 'l1Ratio'>,
  count: number,
  { variance, mean }: { readonly variance: number; readonly mean: number },
) {
  if (isCrossed(select)) return null
  const about = hasIntercept ? variance : variance + mean ** 2
  // Criteria can be compared where the noise is the same: that of the first ratio.
  let noise: number | undefined
  return (path: LinearPath, freedom: readonly number[]): InformationCriteria => {
    const known = noise === undefined ? {} : { noise }
    const criteria = informationCriteria(path, { count, variance: about, freedom, hasIntercept, ...known })
    noise = criteria.noise
    return criteria
  }
}

/** Of the last column, which is y, by default. */
export const varianceOf = ({ scatter, means, weight }: Moments, j = means.length - 1): number =>
  scatter[j * means.length + j]! / weight

/** Steps by which the mean of equal numbers is that number. */
function spreadOf(y: Float64Array, weights: ArrayLike<number> | undefined) {
  let [count, total, mean, square] = [0, 0, 0, 0]
  for (const [i, v] of y.entries()) {
    const w = weights?.[i] ?? 1
    if (w === 0) continue
    const away = v - mean
    count++
    total += w
    mean += (w / total) * away
    square += w * away * (v - mean)
  }
  return { count, mean, variance: square / total }
}
