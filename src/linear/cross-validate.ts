/**
 * Cross-validation of a path: each fold is predicted by models that were fitted on the others. Errors of a Gaussian
 * model follow from moments alone, so the data is read once for each fold and never again.
 */

import type { RunOptions } from '../util/env.js'
import { standardizer } from './columns.js'
import { type CrossValidationSummary, summaryOf } from './cv-summary.js'
import { checkDesign, type DesignMatrix, isSparse } from './design.js'
import { type Fold, type FoldOptions, foldsOf } from './folds.js'
import { gatherParts } from './gather-moments.js'
import { addMoments, type Moments, withoutMoments } from './moments.js'
import { type LinearModel, type LinearPath, type PathOptions, pathFrom, pathOf, precisionFor } from './path.js'
import { predictions } from './predict.js'
import { isForRows, rowPath } from './row-path.js'
import { checkTerms } from './terms.js'

export interface CrossValidationOptions extends PathOptions, FoldOptions, Pick<RunOptions, 'onProgress'> {}

/** Errors are mean squares. */
export interface CrossValidation extends CrossValidationSummary {
  /** Of all rows. */
  readonly path: LinearPath
}

/** Throws `DESIGN_…`, `PATH_OPTION`, `FOLDS`. */
export async function crossValidate(
  x: DesignMatrix,
  y: ArrayLike<number>,
  options: CrossValidationOptions = {},
): Promise<CrossValidation> {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  const { onProgress } = options
  const folds = foldsOf(x.rows, options)
  if (isSparse(x) || isForRows(x)) return validateRows(x, y, folds, options)
  // Ordered folds train on what came before, not on all others.
  const first = options.isOrdered ? [folds[0]!.train] : []
  const parts = [...folds.map(({ test }) => test), ...first]
  const moments = await gatherParts(x, y, parts, { ...options, precision: precisionFor(options) })
  const tests = moments.slice(0, folds.length)
  const rest = moments[folds.length] ?? null
  const all = rest === null ? tests.reduce(addMoments) : tests.reduce(addMoments, rest)
  const path = await pathFrom(all, x, y, options)
  const lambdas = path.lambdas
  const foldErrors = folds.map((_, k) => {
    const before = rest === null ? withoutMoments(all, tests[k]!) : tests.slice(0, k).reduce(addMoments, rest)
    const { models } = pathOf(before, { ...options, lambdas })
    onProgress?.({ task: 'cross-validation', done: k + 1, total: folds.length })
    return models.map((model) => errorOf(tests[k]!, model))
  })
  return {
    path,
    ...summaryOf(
      foldErrors,
      tests.map((t) => t.weight),
    ),
  }
}

/** With more columns than moments are good for: each fold is a path on its rows. */
function validateRows(
  x: DesignMatrix,
  y: ArrayLike<number>,
  folds: readonly Fold[],
  options: CrossValidationOptions,
): CrossValidation {
  const { weights, onProgress } = options
  const standardize = standardizer(x)
  const path = rowPath(standardize, y, options)
  const weightOf = (i: number): number => weights?.[i] ?? 1
  const total = ({ test }: Fold): number => test.reduce((sum, i) => sum + weightOf(i), 0)
  const foldErrors = folds.map((fold, k) => {
    const { models } = rowPath(standardize, y, { ...options, lambdas: path.lambdas, rows: fold.train })
    onProgress?.({ task: 'cross-validation', done: k + 1, total: folds.length })
    return models.map((model) => {
      const fitted = predictions(x, model)
      return fold.test.reduce((sum, i) => sum + weightOf(i) * (y[i]! - fitted[i]!) ** 2, 0) / total(fold)
    })
  })
  return { path, ...summaryOf(foldErrors, folds.map(total)) }
}

/** Mean squared error of a model on rows of which only the moments are known. */
function errorOf({ weight, means, scatter }: Moments, { coefficients, intercept }: LinearModel): number {
  const m = means.length
  const p = m - 1
  // e = y − xᵀβ − β₀ = cᵀz − β₀ with c = (−β, 1): Var(e) + E(e)².
  const used = [...coefficients.keys()].filter((j) => coefficients[j] !== 0)
  const c = (j: number): number => (j === p ? 1 : -coefficients[j]!)
  const at = [...used, p]
  let [square, shift] = [0, -intercept]
  for (const j of at) {
    shift += c(j) * means[j]!
    for (const k of at) square += c(j) * c(k) * scatter[j * m + k]!
  }
  return square / weight + shift * shift
}
