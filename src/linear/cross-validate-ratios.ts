/** Cross-validation of paths with several l1Ratios, on the same folds: which strength with which mix. */

import { type CrossValidation, type CrossValidationOptions, crossValidateMoments } from './cross-validate.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type FoldMoments, foldMoments } from './fold-moments.js'
import { foldsOf } from './folds.js'
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
  checkRatios(options, x.columns)
  return crossValidateRatiosOf(await foldMoments(x, y, foldsOf(x.rows, options), options), options)
}

/** From the moments of the folds alone. */
export function crossValidateRatiosOf(parts: FoldMoments, options: RatioOptions): RatioCrossValidation {
  const { l1Ratios = RATIOS, onProgress, ...rest } = options
  const total = l1Ratios.length * parts.tests.length
  const crossValidations = l1Ratios.map((l1Ratio, i) =>
    crossValidateMoments(parts, {
      ...rest,
      l1Ratio,
      onProgress: ({ task, done }) => onProgress?.({ task, done: i * parts.tests.length + done, total }),
    }),
  )
  const errors = crossValidations.map(({ error, least }) => error[least]!)
  return { l1Ratios, crossValidations, best: errors.indexOf(Math.min(...errors)) }
}

/** Throws `PATH_OPTION`. */
export function checkRatios(options: RatioOptions, columns: number): void {
  const { l1Ratios = RATIOS } = options
  for (const l1Ratio of l1Ratios.length === 0 ? [Number.NaN] : l1Ratios) checkTerms({ ...options, l1Ratio }, columns)
}
