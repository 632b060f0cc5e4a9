/** Cross-validation of the elastic net, from the moments of folds. */

import type { RunOptions } from '../util/env.js'
import { type CrossValidation, crossValidateBy } from './cross-moments.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { foldMomentsOf } from './fold-moments.js'
import type { FoldOptions } from './folds.js'
import { type PathOptions, pathFrom, pathOf } from './path.js'
import { checkTerms } from './terms.js'

export interface CrossValidationOptions extends PathOptions, FoldOptions, Pick<RunOptions, 'onProgress'> {}

/** Throws `DESIGN_…`, `PATH_OPTION`, `FOLDS`. */
export async function crossValidate(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: CrossValidationOptions = {},
): Promise<CrossValidation> {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  const folds = await foldMomentsOf(x, y, options)
  const path = await pathFrom(folds.all, x, y, options)
  return crossValidateBy(({ all }, lambdas) => pathOf(all, { ...options, lambdas }), folds, { ...options, path })
}
