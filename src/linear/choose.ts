/** From the moments of folds to a path, its strength chosen: all that a Gaussian fit is, wherever its rows lie. */

import type { RunOptions } from '../util/env.js'
import { type InformationCriteria, informationCriteria } from './criteria.js'
import { type CrossValidation, crossValidateBy, type PathOfPart } from './cross-moments.js'
import type { FoldMoments } from './fold-moments.js'
import { freedomOf } from './freedom.js'
import { type GaussianModel, type ModelOptions, pathOfModel } from './gaussian-model.js'
import type { Moments } from './moments.js'
import type { LinearModel, LinearPath } from './path.js'
import { bestRatio, chosenBy, isCrossed, type Judged, type RatioScore, type Selection } from './select.js'

export interface ChoiceOptions extends Omit<ModelOptions, 'l1Ratio' | 'weights'>, Pick<RunOptions, 'onProgress'> {
  /** Default `cv`. */
  readonly select?: Selection
  /** ρ; of several, each over the same folds, the best is taken. Default 1. */
  readonly l1Ratio?: number | readonly number[]
}

export interface Choice extends Judged {
  readonly path: LinearPath
  readonly crossValidation: CrossValidation | null
  readonly criteria: InformationCriteria | null
  /** All that were tried. */
  readonly ratios: readonly RatioScore[]
  /** Index into the path. */
  readonly chosen: number
  readonly linear: LinearModel
  /** Mean squared deviation of the target from its mean, as rows weigh. */
  readonly variance: number
}

/** Whether the choice asks for folds. */
export const needsFolds = (select: Selection, model: GaussianModel | undefined): boolean =>
  isCrossed(select) || model === 'adaptive-lasso'

/** Finds the path of all rows, perhaps by more than their moments. */
type WholePath = (pathOf: PathOfPart, options: ModelOptions) => Promise<LinearPath>

/** Throws `PATH_OPTION`, `PENALTY_SHAPE`, `FOLDS`, `CRITERIA_NOISE`. */
export async function choose(
  folds: FoldMoments,
  options: ChoiceOptions,
  wholePath: WholePath = async (pathOf) => pathOf(folds),
): Promise<Choice> {
  const { select = 'cv', hasIntercept = true } = options
  const { count, means } = folds.all
  const variance = varianceOf(folds.all)
  const about = hasIntercept ? variance : variance + means.at(-1)! ** 2
  // Criteria can be compared where the noise is the same: that of the first ratio.
  let noise: number | undefined
  const { best, ratios } = await bestRatio(select, options, async (l1Ratio, progress) => {
    const given = { ...options, l1Ratio }
    const pathOf = pathOfModel(given, means.length - 1)
    const path = await wholePath(pathOf, given)
    if (isCrossed(select)) {
      const crossValidation = crossValidateBy(pathOf, folds, { ...progress, path })
      return { l1Ratio, path, crossValidation, criteria: null }
    }
    const freedom = freedomOf(folds.all, path, given)
    const known = noise === undefined ? {} : { noise }
    const criteria = informationCriteria(path, { count, variance: about, freedom, hasIntercept, ...known })
    noise = criteria.noise
    return { l1Ratio, path, crossValidation: null, criteria }
  })
  const chosen = chosenBy(select, best.crossValidation, best.criteria)
  return { ...best, ratios, chosen, linear: best.path.models[chosen]!, variance }
}

/** Of the last column, which is y, by default. */
export const varianceOf = ({ scatter, means, weight }: Moments, j = means.length - 1): number =>
  scatter[j * means.length + j]! / weight
