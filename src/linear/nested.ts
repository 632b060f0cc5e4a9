/**
 * What a model whose strength and mix were chosen by cross-validation errs on rows that had no part in the choice. The
 * least error of cross-validation is too low for that: it was picked because it is low (Varma and Simon 2006).
 */

import { PareError } from '../util/errors.js'
import { errorOf, type PathByRecipe } from './cross-moments.js'
import { crossValidateRatiosBy, pathsByRatio, type RatioOptions } from './cross-validate-ratios.js'
import { summaryOf } from './cv-summary.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type FoldMoments, foldMomentsOf, trainingOf } from './fold-moments.js'
import type { LinearModel } from './path.js'
import { chosenBy, type Selection } from './select.js'

export interface NestedOptions extends RatioOptions {
  /** Default `cv`. */
  readonly select?: Extract<Selection, 'cv' | 'cv-1se'>
}

export interface NestedFold {
  /** What the other folds chose, fitted on all their rows. */
  readonly l1Ratio: number
  readonly model: LinearModel
  /** Its mean squared error on the rows of this fold, and their weight. */
  readonly error: number
  readonly weight: number
}

export interface NestedCrossValidation {
  /** The mean over folds, weighted by their rows. */
  readonly error: number
  /** √(Σ weighted (errorₖ − error)² / (K − 1)) */
  readonly standardError: number
  readonly folds: readonly NestedFold[]
}

/**
 * Each fold is left out, and the whole choice is made by cross-validation over the other folds; where folds are ordered,
 * over those before it, so that the first two only serve to choose. All follows from the moments of the folds: the data is
 * read once. Throws `DESIGN_…`, `PATH_OPTION`, `FOLDS` with fewer than 3 folds, 4 ordered ones.
 */
export async function nestedCrossValidate(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: NestedOptions = {},
): Promise<NestedCrossValidation> {
  checkDesign(x, y, options.weights)
  const pathsBy = pathsByRatio(options, x.columns)
  return nestedBy(pathsBy, await foldMomentsOf(x, y, options), options)
}

async function nestedBy(
  pathsBy: ReadonlyMap<number, PathByRecipe>,
  all: FoldMoments,
  { select = 'cv', onProgress, signal, engine }: Pick<NestedOptions, 'select' | 'onProgress' | 'signal' | 'engine'>,
): Promise<NestedCrossValidation> {
  const start = all.before === null ? 0 : 2
  const left = all.tests.slice(start)
  if (left.length < 2 || all.tests.length < 3) throw tooFew(all)
  const folds: NestedFold[] = []
  for (const [k, test] of left.entries()) {
    const training = trainingOf(all, start + k)
    const { l1Ratios, crossValidations, best } = await crossValidateRatiosBy(pathsBy, training, {
      engine,
      ...(signal && { signal }),
    })
    const found = crossValidations[best]!
    const model = found.path.models[chosenBy(select, found, null)]!
    onProgress?.({ task: 'nested cross-validation', done: k + 1, total: left.length })
    folds.push({ l1Ratio: l1Ratios[best]!, model, error: errorOf(test, model), weight: test.weight })
  }
  const { error, standardError } = summaryOf(
    folds.map((fold) => [fold.error]),
    folds.map((fold) => fold.weight),
  )
  return { error: error[0]!, standardError: standardError[0]!, folds }
}

const tooFew = ({ tests, before }: FoldMoments): PareError =>
  new PareError('FOLDS', 'to choose without a fold takes at least two others', {
    value: `${tests.length} folds`,
    remedy: `Give at least ${before === null ? '3 folds' : '4 folds, since they are ordered'}.`,
  })
