/** Which strength of a path is taken, and which of several paths. */

import type { RunOptions } from '../util/env.js'
import type { InformationCriteria } from './criteria.js'
import type { CrossValidationSummary } from './cv-summary.js'

/** Least error of cross-validation, the strongest within one standard error of it, or the least of a criterion. */
export type Selection = 'cv' | 'cv-1se' | 'aic' | 'bic' | 'ebic'

export const isCrossed = (select: Selection): boolean => select === 'cv' || select === 'cv-1se'

/** What a path is judged by. */
export interface Judged {
  readonly l1Ratio: number
  readonly crossValidation: CrossValidationSummary | null
  readonly criteria: Omit<InformationCriteria, 'noise'> | null
}

/** Index into the path. */
export function chosenBy(select: Selection, crossed: Judged['crossValidation'], criteria: Judged['criteria']): number {
  if (select === 'cv') return crossed!.least
  if (select === 'cv-1se') return crossed!.oneStandardError
  const values = criteria![select]
  return values.indexOf(Math.min(...values))
}

/** A ratio that was tried, and the least error or criterion of its path. */
export interface RatioScore {
  readonly l1Ratio: number
  readonly score: number
}

const scoreOf = (select: Selection, { crossValidation: crossed, criteria }: Judged): number =>
  select === 'cv' || select === 'cv-1se' ? crossed!.error[crossed!.least]! : Math.min(...criteria![select])

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
