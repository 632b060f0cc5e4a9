/** Which strength of a path is taken. */

import { PareError } from '../util/errors.js'
import type { InformationCriteria } from './criteria.js'
import type { CrossValidationSummary } from './cv-summary.js'

/**
 * Least error of cross-validation, the strongest within one standard error of it, the least error of each row left out,
 * or the least of a criterion.
 */
export type Selection = 'cv' | 'cv-1se' | 'loo' | 'aic' | 'bic' | 'ebic'

export const isCrossed = (select: Selection): boolean => select === 'cv' || select === 'cv-1se'

/** Throws `OPTION_SELECT` for all but a ridge of numbers whose rows are in memory. */
export function checkSelection(select: Selection, isRidge: boolean): void {
  if (select !== 'loo' || isRidge) return
  throw new PareError('OPTION_SELECT', 'leaving out each row is for a ridge of numbers, in memory', {
    value: select,
    remedy: 'Fit a ridge to a column of numbers, or choose by cross-validation.',
  })
}

/** Throws `SELECT_ALONE` where leaving rows out says nothing of any strength. */
export function checkLeftOut({ error, least }: Pick<CrossValidationSummary, 'error' | 'least'>): void {
  if (Number.isFinite(error[least])) return
  throw new PareError('SELECT_ALONE', 'some row alone determines what is fitted to it: without it nothing is known', {
    remedy: 'Give more rows, or a strength above 0.',
  })
}

/** Index into the path. */
export function chosenBy(
  select: Selection,
  leftOut: Pick<CrossValidationSummary, 'least' | 'oneStandardError'> | null,
  criteria: Omit<InformationCriteria, 'noise'> | null,
): number {
  if (select === 'cv' || select === 'loo') return leftOut!.least
  if (select === 'cv-1se') return leftOut!.oneStandardError
  const values = criteria![select]
  return values.indexOf(Math.min(...values))
}
