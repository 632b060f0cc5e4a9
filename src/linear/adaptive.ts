/**
 * The adaptive lasso (Zou 2006): penalty factors 1/|β|^γ of a first model, so that what it found large is hardly held and
 * what it found to be nothing is left out. With a first model that finds the true coefficients, so does this.
 */

import { crossValidate } from './cross-validate.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { gatherMoments } from './gather-moments.js'
import { type LinearPath, type PathOptions, pathOf } from './path.js'
import { standardized } from './standard.js'
import { checkTerms } from './terms.js'

export interface AdaptiveOptions extends PathOptions {
  /** What finds the first model, its strength chosen by cross-validation. Default `ridge`. */
  readonly first?: 'ridge' | 'lasso'
  /** γ. Default 1. */
  readonly power?: number
  /** Of the folds that choose the first model. */
  readonly seed?: number
  readonly folds?: number
}

export interface AdaptivePath extends LinearPath {
  /** Of the columns, times those given; Infinity leaves a column out. */
  readonly penaltyFactors: Float64Array
}

/** Throws `DESIGN_…`, `PATH_OPTION`, `FOLDS`. */
export async function adaptivePath(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: AdaptiveOptions = {},
): Promise<AdaptivePath> {
  const { first = 'ridge', power = 1, lambdas: _, ...shared } = options
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  const { path: found, least } = await crossValidate(x, y, { ...shared, l1Ratio: first === 'ridge' ? 0 : 1 })
  const { hasIntercept = true, isStandardized = true } = options
  const moments = await gatherMoments(x, y, options)
  const { scales } = standardized(moments, { hasIntercept, isStandardized })
  const penaltyFactors = found.models[least]!.coefficients.map((b, j) => {
    const given = options.penaltyFactors?.[j] ?? 1
    return given === 0 ? 0 : given / Math.abs(b * scales[j]!) ** power
  })
  return { ...pathOf(moments, { ...options, penaltyFactors }), penaltyFactors }
}
