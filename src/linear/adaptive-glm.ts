/**
 * The adaptive lasso of generalized linear models (Zou 2006, §4): weights 1/|β|^γ of a first model, for classes with one
 * vector each by the norm of a column's coefficients.
 */

import { adaptiveFactors, adaptiveMinRatio, FIRST_LAMBDAS, type FirstModel, onScaleOf } from './adaptive.js'
import type { Response } from './datafits/index.js'
import type { DenseMatrix } from './design.js'
import { type GlmCrossOptions, glmCrossValidateBy } from './glm-cross.js'
import { type GlmPart, type GlmPath, glmPathOf } from './glm-path.js'
import { deviationsOf } from './moments.js'
import { meanFactor } from './terms.js'

export interface AdaptiveGlmOptions extends GlmCrossOptions, FirstModel {
  /** γ. Default 1. */
  readonly gamma?: number
}

/** λ multiplies the weights as they are. The folds that choose the first model are, for rows of some folds, the others. */
export async function adaptiveGlmPathOf(
  x: DenseMatrix,
  response: Response,
  options: AdaptiveGlmOptions,
  part: GlmPart = {},
): Promise<GlmPath> {
  const { first = 'ridge', lambdas, isStandardized = true, onProgress: _, ...shared } = options
  const weights = weightsOf(x.rows, options.weights, part.rows)
  const { path, least } = await glmCrossValidateBy(
    (x, response, options, inner = {}) => glmPathOf(x, response, options, { where: part.where, ...inner }),
    x,
    response,
    { ...shared, weights, isStandardized, nLambdas: FIRST_LAMBDAS, l1Ratio: first === 'ridge' ? 0 : 1 },
  )
  const scales = isStandardized ? deviationsOf(x, weights) : new Float64Array(x.columns).fill(1)
  const { coefficients } = path.models[least]!
  const sizes = scales.map((scale, j) => scale * Math.hypot(...coefficients.map((c) => c[j]!)))
  const penaltyFactors = adaptiveFactors(sizes, options)
  const mean = meanFactor(penaltyFactors)
  const count = weights.reduce((n, w) => n + Number(w > 0), 0)
  const scaled = lambdas
    ? { lambdas: Float64Array.from(lambdas, (v) => v * mean) }
    : { lambdaMinRatio: options.lambdaMinRatio ?? adaptiveMinRatio(penaltyFactors, count) }
  return onScaleOf(await glmPathOf(x, response, { ...options, penaltyFactors, ...scaled }, part), mean)
}

/** 0 for rows outside of `rows`. */
function weightsOf(
  count: number,
  given: ArrayLike<number> | undefined,
  rows: ArrayLike<number> | undefined,
): Float64Array {
  const all = Float64Array.from({ length: count }, (_, i) => given?.[i] ?? 1)
  if (rows === undefined) return all
  const inside = new Float64Array(count)
  for (let k = 0; k < rows.length; k++) inside[rows[k]!] = all[rows[k]!]!
  return inside
}
