/** Cross-validation of the models of `ModelOptions`, from the moments of folds. */

import type { RunOptions } from '../util/env.js'
import { type CrossValidation, crossValidateBy } from './cross-moments.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { foldMomentsOf } from './fold-moments.js'
import type { FoldOptions } from './folds.js'
import { type ModelOptions, pathOfModel, pathOfRows } from './gaussian-model.js'

export interface CrossValidationOptions extends ModelOptions, FoldOptions, Pick<RunOptions, 'onProgress'> {}

/** Throws `DESIGN_…`, `PATH_OPTION`, `PENALTY_SHAPE`, `FOLDS`. */
export async function crossValidate(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: CrossValidationOptions = {},
): Promise<CrossValidation> {
  checkDesign(x, y, options.weights)
  const pathOf = pathOfModel(options, x.columns)
  const folds = await foldMomentsOf(x, y, options)
  const path = await pathOfRows(pathOf, folds, x, y, options)
  return crossValidateBy(pathOf, folds, { ...options, path })
}
