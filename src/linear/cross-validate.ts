/**
 * Cross-validation of a path: each fold is predicted by models that were fitted on the others. Errors of a Gaussian
 * model follow from moments alone, so the data is read once for each fold and never again.
 */

import type { RunOptions } from '../util/env.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type FoldOptions, foldsOf } from './folds.js'
import { addMoments, type Moments, momentsOf, withoutMoments } from './moments.js'
import { type LinearModel, type LinearPath, type PathOptions, pathOf } from './path.js'

export interface CrossValidationOptions extends PathOptions, FoldOptions, Pick<RunOptions, 'onProgress'> {}

export interface CrossValidation {
  /** Of all rows. */
  readonly path: LinearPath
  /** Mean squared error of the rows left out, by λ: the mean over folds, weighted by their rows. */
  readonly error: readonly number[]
  /** Its standard error, √(Σ weighted (errorₖ − error)² / (K − 1)). */
  readonly standardError: readonly number[]
  /** By fold, then by λ. */
  readonly foldErrors: readonly (readonly number[])[]
  /** Index of the least error, and of the largest λ whose error is within one standard error of it. */
  readonly least: number
  readonly oneStandardError: number
}

/** Throws `DESIGN_…`, `PATH_OPTION`, `FOLDS`. */
export function crossValidate(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: CrossValidationOptions = {},
): CrossValidation {
  checkDesign(x, y, options.weights)
  const { weights, onProgress } = options
  const folds = foldsOf(x.rows, options)
  const of = (rows: Uint32Array): Moments => momentsOf(x, y, { rows, ...(weights && { weights }) })
  const tests = folds.map((fold) => of(fold.test))
  // Ordered folds train on what came before, not on all others.
  const rest = options.isOrdered ? of(folds[0]!.train) : null
  const all = rest === null ? tests.reduce(addMoments) : tests.reduce(addMoments, rest)
  const path = pathOf(all, options)
  const lambdas = path.lambdas
  const foldErrors = folds.map((_, k) => {
    const before = rest === null ? withoutMoments(all, tests[k]!) : tests.slice(0, k).reduce(addMoments, rest)
    const { models } = pathOf(before, { ...options, lambdas })
    onProgress?.({ task: 'cross-validation', done: k + 1, total: folds.length })
    return models.map((model) => errorOf(tests[k]!, model))
  })
  const shares = tests.map((t) => t.weight / tests.reduce((sum, other) => sum + other.weight, 0))
  const mean = (f: (k: number) => number): number => shares.reduce((sum, share, k) => sum + share * f(k), 0)
  const error = Array.from(lambdas, (_, i) => mean((k) => foldErrors[k]![i]!))
  const standardError = error.map((e, i) => Math.sqrt(mean((k) => (foldErrors[k]![i]! - e) ** 2) / (folds.length - 1)))
  const least = error.indexOf(Math.min(...error))
  const limit = error[least]! + standardError[least]!
  return { path, error, standardError, foldErrors, least, oneStandardError: error.findIndex((e) => e <= limit) }
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
