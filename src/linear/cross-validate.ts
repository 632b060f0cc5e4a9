/**
 * Cross-validation of a path: each fold is predicted by models that were fitted on the others. Errors of a Gaussian
 * model follow from moments alone, so the data is read once for each fold and never again.
 */

import type { RunOptions } from '../util/env.js'
import { type CrossValidationSummary, summaryOf } from './cv-summary.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type FoldOptions, foldsOf } from './folds.js'
import { gatherParts } from './gather-moments.js'
import { addMoments, type Moments, withoutMoments } from './moments.js'
import { type LinearModel, type LinearPath, type PathOptions, pathFrom, pathOf, precisionFor } from './path.js'

export interface CrossValidationOptions extends PathOptions, FoldOptions, Pick<RunOptions, 'onProgress'> {}

/** Errors are mean squares. */
export interface CrossValidation extends CrossValidationSummary {
  /** Of all rows. */
  readonly path: LinearPath
}

/** Throws `DESIGN_…`, `PATH_OPTION`, `FOLDS`. */
export async function crossValidate(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: CrossValidationOptions = {},
): Promise<CrossValidation> {
  checkDesign(x, y, options.weights)
  const folds = foldsOf(x.rows, options)
  // Ordered folds train on what came before, not on all others.
  const first = options.isOrdered ? [folds[0]!.train] : []
  const parts = [...folds.map(({ test }) => test), ...first]
  const moments = await gatherParts(x, y, parts, { ...options, precision: precisionFor(options) })
  const tests = moments.slice(0, folds.length)
  const rest = moments[folds.length] ?? null
  const all = rest === null ? tests.reduce(addMoments) : tests.reduce(addMoments, rest)
  return crossed(await pathFrom(all, x, y, options), { tests, rest, all }, options)
}

type MomentOptions = PathOptions & Pick<RunOptions, 'onProgress'>

/** From the moments of the rows of each fold, and nothing else. Throws `PATH_OPTION`. */
export function crossValidateMoments(tests: readonly Moments[], options: MomentOptions): CrossValidation {
  const all = tests.reduce(addMoments)
  return crossed(pathOf(all, options), { tests, rest: null, all }, options)
}

interface FoldMoments {
  readonly tests: readonly Moments[]
  /** Of the rows before the first fold where each is judged by what came before it; null where by all others. */
  readonly rest: Moments | null
  readonly all: Moments
}

function crossed(path: LinearPath, { tests, rest, all }: FoldMoments, options: MomentOptions): CrossValidation {
  const { lambdas } = path
  const foldErrors = tests.map((test, k) => {
    const train = rest === null ? withoutMoments(all, test) : tests.slice(0, k).reduce(addMoments, rest)
    const { models } = pathOf(train, { ...options, lambdas })
    options.onProgress?.({ task: 'cross-validation', done: k + 1, total: tests.length })
    return models.map((model) => errorOf(test, model))
  })
  return {
    path,
    ...summaryOf(
      foldErrors,
      tests.map((t) => t.weight),
    ),
  }
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
