/** Which strength of a path is taken. */

import type { InformationCriteria } from './criteria.js'
import type { CrossValidationSummary } from './cv-summary.js'

/** Least error of cross-validation, the strongest within one standard error of it, or the least of a criterion. */
export type Selection = 'cv' | 'cv-1se' | 'aic' | 'bic' | 'ebic'

export const isCrossed = (select: Selection): boolean => select === 'cv' || select === 'cv-1se'

/** Index into the path. */
export function chosenBy(
  select: Selection,
  crossed: CrossValidationSummary | null,
  criteria: Omit<InformationCriteria, 'noise'> | null,
): number {
  if (select === 'cv') return crossed!.least
  if (select === 'cv-1se') return crossed!.oneStandardError
  const values = criteria![select]
  return values.indexOf(Math.min(...values))
}
