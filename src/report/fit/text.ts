/** Numbers and sentences that several parts of the report of a fit share. */

import type { LinearFit, Selection } from '../../linear/fit.js'
import { significant } from '../../util/format.js'

/** `0.5330 ± 0.0092`: a value with as many digits as two of its standard error tell. */
export function plusMinus(value: number, error: number): string {
  if (!(error > 0) || !Number.isFinite(error)) return significant(value, 4)
  const digits = Math.floor(Math.log10(Math.abs(value))) - Math.floor(Math.log10(error)) + 2
  return `${significant(value, Math.min(15, Math.max(1, digits)))} ± ${significant(error, 2)}`
}

/** Mean squared deviation of what is predicted from its mean. */
export function varianceOf({ actual }: LinearFit): number {
  const mean = actual.reduce((sum, v) => sum + v, 0) / actual.length
  return actual.reduce((sum, v) => sum + (v - mean) ** 2, 0) / actual.length
}

/** Share of the variance that is explained on rows left out, or null where none were. */
export function explainedLeftOut(fit: LinearFit): number | null {
  const variance = varianceOf(fit)
  const error = fit.crossValidation?.error[fit.chosen]
  return error === undefined || variance === 0 ? null : 1 - error / variance
}

/** How the strength was chosen, after `λ = 0.1`. */
export function howChosen(select: Selection, fit: LinearFit): string {
  if (fit.path.lambdas.length === 1) return 'is the only strength that was fitted'
  const by = `${fit.crossValidation?.foldErrors.length}-fold cross-validation`
  return {
    cv: `has the least error of ${by}`,
    'cv-1se': `is the strongest within one standard error of the least error of ${by}`,
    aic: 'has the least AIC',
    bic: 'has the least BIC',
    ebic: 'has the least EBIC',
  }[select]
}
