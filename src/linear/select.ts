/** Which strength of a path is taken, and which of several paths. */

import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import type { InformationCriteria } from './criteria.js'
import type { CrossValidationSummary } from './cv-summary.js'

/**
 * Least error of cross-validation, the strongest within one standard error of it, the least error of each row left out,
 * or the least of a criterion.
 */
export type Selection = 'cv' | 'cv-1se' | 'loo' | 'aic' | 'bic' | 'ebic'

type LeftOut = Pick<CrossValidationSummary, 'error' | 'least' | 'oneStandardError'>

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

/** What a path is judged by. */
export interface Judged {
  readonly l1Ratio: number
  readonly crossValidation: CrossValidationSummary | null
  readonly leaveOneOut?: LeftOut | null
  readonly criteria: Omit<InformationCriteria, 'noise'> | null
}

/** Index into the path. */
export function chosenBy(
  select: Selection,
  leftOut: Omit<LeftOut, 'error'> | null,
  criteria: Judged['criteria'],
): number {
  if (select === 'cv' || select === 'loo') return leftOut!.least
  if (select === 'cv-1se') return leftOut!.oneStandardError
  const values = criteria![select]
  return values.indexOf(Math.min(...values))
}

/** A ratio that was tried, and the least error or criterion of its path. */
export interface RatioScore {
  readonly l1Ratio: number
  readonly score: number
}

function scoreOf(select: Selection, { crossValidation, leaveOneOut, criteria }: Judged): number {
  if (select === 'aic' || select === 'bic' || select === 'ebic') return Math.min(...criteria![select])
  const { error, least } = (crossValidation ?? leaveOneOut)!
  return error[least]!
}

/** One path for each ratio, and the one whose score is least; the first of several. */
export async function bestRatio<T extends Judged>(
  select: Selection,
  { l1Ratio = 1, onProgress }: { readonly l1Ratio?: number | readonly number[] } & Pick<RunOptions, 'onProgress'>,
  judge: (l1Ratio: number, progress: Pick<RunOptions, 'onProgress'>) => Promise<T>,
): Promise<{ readonly best: T; readonly ratios: readonly RatioScore[] }> {
  const given = typeof l1Ratio === 'number' ? [l1Ratio] : l1Ratio
  const tried: T[] = []
  for (const [at, ratio] of given.entries()) tried.push(await judge(ratio, partOf(onProgress, at, given.length)))
  const ratios = tried.map((judged) => ({ l1Ratio: judged.l1Ratio, score: scoreOf(select, judged) }))
  const scores = ratios.map(({ score }) => score)
  return { best: tried[scores.indexOf(Math.min(...scores))]!, ratios }
}

/** Progress of one of several parts that take as long. */
function partOf(onProgress: RunOptions['onProgress'], at: number, of: number): Pick<RunOptions, 'onProgress'> {
  if (onProgress === undefined) return {}
  return {
    onProgress(progress) {
      const { done, total } = progress
      onProgress(total === undefined ? progress : { ...progress, done: at * total + done, total: of * total })
    },
  }
}
