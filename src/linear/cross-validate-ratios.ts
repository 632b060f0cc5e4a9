/** Cross-validation of paths with several l1Ratios, on the same folds: which strength with which mix. */

import type { Progress } from '../util/env.js'
import { type CrossValidation, crossValidateBy, type PathByRecipe } from './cross-moments.js'
import type { CrossValidationOptions } from './cross-validate.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type FoldMoments, foldMomentsOf } from './fold-moments.js'
import { pathOfModel } from './gaussian-model.js'
import { checkTerms } from './terms.js'

export interface RatioOptions extends Omit<CrossValidationOptions, 'l1Ratio'> {
  /** ρ of each path: 1 is the lasso, 0 the ridge. Default: 0.1, 0.5, 0.7, 0.9, 0.95, 1. */
  readonly l1Ratios?: readonly number[]
}

export interface RatioCrossValidation {
  readonly l1Ratios: readonly number[]
  /** In the order of `l1Ratios`, each with strengths of its own. */
  readonly crossValidations: readonly CrossValidation[]
  /** Index of the one with the least error; of equal ones the first. */
  readonly best: number
}

const RATIOS = [0.1, 0.5, 0.7, 0.9, 0.95, 1] as const

/**
 * The data is read once for all ratios. Throws `DESIGN_…`, `PATH_OPTION` (also where there is no ratio), `FOLDS`.
 *
 * @example
 * const { l1Ratios, crossValidations, best } = await crossValidateRatios(x, y, { l1Ratios: [0.5, 1] })
 * const { path, least } = crossValidations[best]
 */
export async function crossValidateRatios(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: RatioOptions = {},
): Promise<RatioCrossValidation> {
  checkDesign(x, y, options.weights)
  const pathsBy = pathsByRatio(options, x.columns)
  return crossValidateRatiosBy(pathsBy, await foldMomentsOf(x, y, options), options)
}

/** By l1Ratio. Throws `PATH_OPTION`. */
export function pathsByRatio(options: RatioOptions, columns: number): ReadonlyMap<number, PathByRecipe> {
  const { l1Ratios = RATIOS, ...rest } = options
  for (const l1Ratio of l1Ratios.length === 0 ? [Number.NaN] : l1Ratios) checkTerms({ ...rest, l1Ratio }, columns)
  return new Map(l1Ratios.map((l1Ratio) => [l1Ratio, pathOfModel({ ...rest, l1Ratio }, columns)]))
}

/** From the moments of the folds alone. */
export async function crossValidateRatiosBy(
  pathsBy: ReadonlyMap<number, PathByRecipe>,
  folds: FoldMoments,
  { onProgress, signal, engine }: Pick<CrossValidationOptions, 'onProgress' | 'signal' | 'engine'> = {},
): Promise<RatioCrossValidation> {
  const each = folds.tests.length
  const crossValidations: CrossValidation[] = []
  for (const [i, pathOfPart] of [...pathsBy.values()].entries()) {
    const options = {
      onProgress: ({ task, done }: Progress) =>
        onProgress?.({ task, done: i * each + done, total: pathsBy.size * each }),
      engine,
      ...(signal && { signal }),
    }
    crossValidations.push(await crossValidateBy(pathOfPart, folds, options))
  }
  const errors = crossValidations.map(({ error, least }) => error[least]!)
  return { l1Ratios: [...pathsBy.keys()], crossValidations, best: errors.indexOf(Math.min(...errors)) }
}
