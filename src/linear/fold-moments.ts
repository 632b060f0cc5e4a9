/** Moments of each fold: all that cross-validation of a Gaussian model asks of the data, which is read once. */

import type { DenseMatrix } from './design.js'
import type { Fold } from './folds.js'
import { addMoments, type Moments, momentsOf, withoutMoments } from './moments.js'

export interface FoldMoments {
  /** Of the rows that each fold leaves out. */
  readonly tests: readonly Moments[]
  /** Ordered folds train on what came before, not on all others: the rows before the first fold. Else null. */
  readonly first: Moments | null
}

interface FoldMomentOptions {
  readonly weights?: ArrayLike<number>
  readonly isOrdered?: boolean
}

export function foldMoments(
  x: DenseMatrix,
  y: ArrayLike<number>,
  folds: readonly Fold[],
  { weights, isOrdered = false }: FoldMomentOptions,
): FoldMoments {
  const of = (rows: Uint32Array): Moments => momentsOf(x, y, { rows, ...(weights && { weights }) })
  return { tests: folds.map((fold) => of(fold.test)), first: isOrdered ? of(folds[0]!.train) : null }
}

export const allMoments = ({ tests, first }: FoldMoments): Moments =>
  first === null ? tests.reduce(addMoments) : tests.reduce(addMoments, first)

/** Of the rows that fold `k` is trained on; `all` are those of `parts`. */
export const trainMoments = ({ tests, first }: FoldMoments, all: Moments, k: number): Moments =>
  first === null ? withoutMoments(all, tests[k]!) : tests.slice(0, k).reduce(addMoments, first)
