/** Moments of each fold: all that cross-validation of a Gaussian model asks of the data, which is read once. */

import type { DenseMatrix } from './design.js'
import type { Fold } from './folds.js'
import { type GatherOptions, gatherMoments } from './gather-moments.js'
import { addMoments, type Moments, withoutMoments } from './moments.js'

export interface FoldMoments {
  /** Of the rows that each fold leaves out. */
  readonly tests: readonly Moments[]
  /** Ordered folds train on what came before, not on all others: the rows before the first fold. Else null. */
  readonly first: Moments | null
}

interface FoldMomentOptions extends Pick<GatherOptions, 'engine' | 'signal' | 'weights'> {
  readonly isOrdered?: boolean
}

export async function foldMoments(
  x: DenseMatrix,
  y: ArrayLike<number>,
  folds: readonly Fold[],
  options: FoldMomentOptions,
): Promise<FoldMoments> {
  const of = (rows: Uint32Array): Promise<Moments> => gatherMoments(x, y, { ...options, rows })
  const tests: Moments[] = []
  for (const { test } of folds) tests.push(await of(test))
  return { tests, first: options.isOrdered ? await of(folds[0]!.train) : null }
}

export const allMoments = ({ tests, first }: FoldMoments): Moments =>
  first === null ? tests.reduce(addMoments) : tests.reduce(addMoments, first)

/** Of the rows that fold `k` is trained on; `all` are those of `parts`. */
export const trainMoments = ({ tests, first }: FoldMoments, all: Moments, k: number): Moments =>
  first === null ? withoutMoments(all, tests[k]!) : tests.slice(0, k).reduce(addMoments, first)
