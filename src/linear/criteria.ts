/** Information criteria of the models of a path (Akaike 1974; Schwarz 1978; Chen and Chen 2008). */

import { PareError } from '../util/errors.js'
import type { GlmPath } from './glm-path.js'
import type { LinearPath } from './path.js'

export interface CriteriaOptions {
  /** Rows that the path was fitted on. */
  readonly count: number
  /** Mean squared deviation of y, as the path was fitted on it: with an intercept from its mean. */
  readonly variance: number
  /**
   * σ² of the noise; needed where there are no more rows than columns. Default: that of the last model of the path,
   * RSS / (n − df − 1), or RSS / (n − df) without an intercept.
   */
  readonly noise?: number
  /** Effective degrees of freedom by λ, see `freedomOf`. Default: the columns that are not zero. */
  readonly freedom?: readonly number[]
  /** Whether an intercept was fitted. Default true. */
  readonly hasIntercept?: boolean
  /** γ of the EBIC: 0 is the BIC. Default 1. */
  readonly gamma?: number
}

export interface InformationCriteria {
  readonly noise: number
  readonly aic: readonly number[]
  readonly bic: readonly number[]
  readonly ebic: readonly number[]
}

/** n log(2πσ²) + RSS/σ² + {2, log n}·df; the EBIC adds 2γ log C(p, df). */
export function informationCriteria(path: LinearPath, options: CriteriaOptions): InformationCriteria {
  const { count: n, variance, gamma = 1, hasIntercept = true, freedom = path.df } = options
  const rss = path.devianceRatio.map((r) => n * variance * (1 - r))
  const noise = options.noise ?? residualVariance(rss.at(-1)!, n - freedom.at(-1)! - Number(hasIntercept))
  const p = path.models[0]!.coefficients.length
  const fit = rss.map((v) => n * Math.log(2 * Math.PI * noise) + v / noise)
  const aic = fit.map((v, i) => v + 2 * freedom[i]!)
  const bic = fit.map((v, i) => v + Math.log(n) * freedom[i]!)
  return { noise, aic, bic, ebic: bic.map((v, i) => v + 2 * gamma * logChoose(p, path.df[i]!)) }
}

/**
 * Deviance + {2, log n}·df; the EBIC adds 2γ log C(p, df), p being the number of coefficients of all vectors. They differ
 * from −2 log likelihood by what no model changes.
 */
export function glmCriteria(
  path: GlmPath,
  { count: n, gamma = 1 }: Pick<CriteriaOptions, 'count' | 'gamma'>,
): Omit<InformationCriteria, 'noise'> {
  const { models, df } = path
  const p = models[0]!.coefficients.reduce((sum, c) => sum + c.length, 0)
  const deviance = path.devianceRatio.map((r) => n * path.nullDeviance * (1 - r))
  const aic = deviance.map((v, i) => v + 2 * df[i]!)
  const bic = deviance.map((v, i) => v + Math.log(n) * df[i]!)
  return { aic, bic, ebic: bic.map((v, i) => v + 2 * gamma * logChoose(p, df[i]!)) }
}

function residualVariance(rss: number, freedom: number): number {
  if (freedom > 0 && rss > 0) return rss / freedom
  throw new PareError('CRITERIA_NOISE', 'the noise cannot be told from this data', {
    value: freedom > 0 ? 'no residuals: the fit is exact' : `${freedom} degrees of freedom`,
    remedy: 'Give the variance of the noise, or choose by cross-validation.',
  })
}

/** log C(n, k) */
function logChoose(n: number, k: number): number {
  let sum = 0
  for (let i = 1; i <= Math.min(k, n - k); i++) sum += Math.log((n - i + 1) / i)
  return sum
}
