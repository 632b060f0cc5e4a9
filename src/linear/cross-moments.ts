/**
 * Cross-validation of a path: each fold is predicted by models that were fitted on the others. Errors of a Gaussian
 * model follow from moments alone, so the data is read once for each fold and never again.
 */

import type { RunOptions } from '../util/env.js'
import { nextTurn } from '../util/turns.js'
import { type CrossValidationSummary, summaryOf } from './cv-summary.js'
import { type FoldMoments, trainingOf } from './fold-moments.js'
import type { Moments } from './moments.js'
import type { LinearModel, LinearPath } from './path.js'

interface ByOptions extends Pick<RunOptions, 'onProgress' | 'signal'> {
  /** Of all rows, where it is known. Default: by `pathOf`. */
  readonly path?: LinearPath
}

/** Errors are mean squares. */
export interface CrossValidation extends CrossValidationSummary {
  /** Of all rows. */
  readonly path: LinearPath
}

/** A path of some rows, of which the folds are known too; its own strengths unless given. */
export type PathOfPart = (part: FoldMoments, lambdas?: ArrayLike<number>) => LinearPath

/**
 * Whatever `pathOf` chooses by data, it chooses for each fold by what that fold is judged by. Between folds a cancellation
 * is heard. Throws `FOLDS`.
 */
export async function crossValidateBy(
  pathOf: PathOfPart,
  folds: FoldMoments,
  { onProgress, signal, path = pathOf(folds) }: ByOptions = {},
): Promise<CrossValidation> {
  const { tests } = folds
  const foldErrors: number[][] = []
  for (const k of tests.keys()) {
    await nextTurn(signal)
    foldErrors.push(errorsOfFold(pathOf, folds, path, k))
    onProgress?.({ task: 'cross-validation', done: k + 1, total: tests.length })
  }
  return { path, ...summaryOf(foldErrors, weightsOf(folds)) }
}

/** Of a path that is chosen while another one is solved. */
export function crossValidateAtOnce(pathOf: PathOfPart, folds: FoldMoments): CrossValidation {
  const path = pathOf(folds)
  const foldErrors = folds.tests.map((_, k) => errorsOfFold(pathOf, folds, path, k))
  return { path, ...summaryOf(foldErrors, weightsOf(folds)) }
}

const weightsOf = ({ tests }: FoldMoments): readonly number[] => tests.map(({ weight }) => weight)

function errorsOfFold(pathOf: PathOfPart, folds: FoldMoments, { lambdas }: LinearPath, k: number): number[] {
  const { models } = pathOf(trainingOf(folds, k), lambdas)
  return errorsOf(folds.tests[k]!, models)
}

/** Mean squared error of a model on rows of which only the moments are known. */
export const errorOf = (test: Moments, model: LinearModel): number => errorsOf(test, [model])[0]!

/** Of the models of a path, which have most of their columns in common. */
function errorsOf({ weight, means, scatter }: Moments, models: readonly LinearModel[]): number[] {
  const m = means.length
  const p = m - 1
  const order = orderOf(models, p)
  // Of the columns that some model uses, those that come in first first: each model has its part in one place.
  const many = order.length
  const own = new Float64Array(many * many)
  for (let a = 0; a < many; a++) for (let b = 0; b < many; b++) own[a * many + b] = scatter[order[a]! * m + order[b]!]!
  const c = new Float64Array(many)
  return models.map(({ coefficients, intercept }) => {
    // e = y − xᵀβ − β₀ = cᵀz − β₀ with c = (1, −β): Var(e) + E(e)².
    let [square, shift, last] = [0, -intercept, 0]
    for (let a = 0; a < many; a++) {
      c[a] = order[a] === p ? 1 : -coefficients[order[a]!]!
      if (c[a] !== 0) last = a
    }
    for (let a = 0; a <= last; a++) {
      if (c[a] === 0) continue
      shift += c[a]! * means[order[a]!]!
      // Two sums, since each addition waits for the last one.
      let [even, odd] = [0, 0]
      const row = a * many
      for (let b = 1; b < a; b += 2) {
        even += c[b - 1]! * own[row + b - 1]!
        odd += c[b]! * own[row + b]!
      }
      if (a % 2 === 1) even += c[a - 1]! * own[row + a - 1]!
      square += c[a]! * (2 * (even + odd) + c[a]! * own[row + a]!)
    }
    return square / weight + shift * shift
  })
}

/** y, then the columns with a coefficient, in the order in which they come in. */
function orderOf(models: readonly LinearModel[], p: number): readonly number[] {
  const order = [p]
  const isIn = new Uint8Array(p)
  for (const { coefficients } of models)
    for (let j = 0; j < p; j++)
      if (isIn[j] === 0 && coefficients[j] !== 0) {
        isIn[j] = 1
        order.push(j)
      }
  return order
}
