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
  return models.map((model) => errorOf(folds.tests[k]!, model))
}

/** Mean squared error of a model on rows of which only the moments are known. */
export function errorOf({ weight, means, scatter }: Moments, { coefficients, intercept }: LinearModel): number {
  const m = means.length
  const p = m - 1
  // e = y − xᵀβ − β₀ = cᵀz − β₀ with c = (−β, 1): Var(e) + E(e)².
  const at = Uint32Array.from({ length: m }, (_, j) => j).filter((j) => j === p || coefficients[j] !== 0)
  const c = Float64Array.from(at, (j) => (j === p ? 1 : -coefficients[j]!))
  let [square, shift] = [0, -intercept]
  for (let a = 0; a < at.length; a++) {
    const row = at[a]! * m
    shift += c[a]! * means[at[a]!]!
    // Two sums, since each addition waits for the last one.
    let [even, odd] = [0, 0]
    for (let b = 1; b < a; b += 2) {
      even += c[b - 1]! * scatter[row + at[b - 1]!]!
      odd += c[b]! * scatter[row + at[b]!]!
    }
    if (a % 2 === 1) even += c[a - 1]! * scatter[row + at[a - 1]!]!
    square += c[a]! * (2 * (even + odd) + c[a]! * scatter[row + at[a]!]!)
  }
  return square / weight + shift * shift
}
