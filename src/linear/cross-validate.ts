/** Cross-validation of the models of `ModelOptions`, from the moments of folds, or on their rows. */

import type { RunOptions } from '../util/env.js'
import { nextTurn } from '../util/turns.js'
import { standardizer } from './columns.js'
import { type CrossValidation, crossValidateBy } from './cross-moments.js'
import { summaryOf } from './cv-summary.js'
import { checkDesign, type DesignMatrix, isSparse } from './design.js'
import { foldMomentsOf } from './fold-moments.js'
import { type FoldOptions, foldsOf, wrongFolds } from './folds.js'
import { checkUnread } from './gather-moments.js'
import { type ModelOptions, pathOfModel, pathOfRows } from './gaussian-model.js'
import { predictions } from './predict.js'
import { isForRows, rowPath } from './row-path.js'
import { checkTerms, wrongOption } from './terms.js'

export interface CrossValidationOptions extends ModelOptions, FoldOptions, Pick<RunOptions, 'onProgress'> {}

/** Sparse columns are for the elastic net. Throws `DESIGN_…`, `PATH_OPTION`, `PENALTY_SHAPE`, `FOLDS`. */
export async function crossValidate(
  x: DesignMatrix,
  y: ArrayLike<number>,
  options: CrossValidationOptions = {},
): Promise<CrossValidation> {
  checkTerms(options, x.columns)
  const { model = 'elastic-net' } = options
  if (isSparse(x) || (model === 'elastic-net' && isForRows(x))) {
    checkDesign(x, y, options.weights)
    if (model !== 'elastic-net') throw wrongOption('model', model, 'elastic-net where columns are sparse')
    return validateRows(x, y, options)
  }
  checkUnread(x, y, options)
  const pathOf = pathOfModel(options, x.columns)
  const folds = await foldMomentsOf(x, y, options)
  const path = await pathOfRows(pathOf, folds, x, y, options)
  return crossValidateBy(pathOf, folds, { ...options, path })
}

/** With more columns than moments are good for: each fold is a path on its rows. */
async function validateRows(
  x: DesignMatrix,
  y: ArrayLike<number>,
  options: CrossValidationOptions,
): Promise<CrossValidation> {
  const { weights, onProgress } = options
  const folds = foldsOf(x.rows, options)
  const standardize = standardizer(x)
  const weightOf = (i: number): number => weights?.[i] ?? 1
  const total = (rows: Uint32Array): number => rows.reduce((sum, i) => sum + weightOf(i), 0)
  const used = folds.filter(({ test }) => total(test) > 0)
  if (used.length < 2) throw wrongFolds(`${used.length} with rows that have a weight`)
  const empty = used.findIndex(({ train }) => total(train) === 0)
  if (empty >= 0) throw wrongFolds(`no rows that have a weight outside of fold ${empty + 1}`)
  const path = rowPath(standardize, y, options)
  const foldErrors: number[][] = []
  for (const [k, fold] of used.entries()) {
    await nextTurn()
    const { models } = rowPath(standardize, y, { ...options, lambdas: path.lambdas, rows: fold.train })
    onProgress?.({ task: 'cross-validation', done: k + 1, total: used.length })
    const errors = models.map((model) => {
      const fitted = predictions(x, model)
      return fold.test.reduce((sum, i) => sum + weightOf(i) * (y[i]! - fitted[i]!) ** 2, 0) / total(fold.test)
    })
    foldErrors.push(errors)
  }
  const totals = used.map(({ test }) => total(test))
  return { path, ...summaryOf(foldErrors, totals) }
}
