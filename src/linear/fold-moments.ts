/** The moments of rows that are left out in turn: all that the cross-validation of a Gaussian model asks of the data. */

import type { DenseMatrix } from './design.js'
import { type FoldOptions, foldsOf, wrongFolds } from './folds.js'
import { type GatherOptions, gatherParts } from './gather-moments.js'
import { type Moments, sumOfMoments, withoutMoments } from './moments.js'
import { precisionFor, type ToleranceOption } from './precision.js'

export interface FoldMoments {
  /** Of all rows. */
  readonly all: Moments
  /** Of each fold that has weight. */
  readonly tests: readonly Moments[]
  /** Of what lies before the first of ordered folds, which train on what came before them; else null. */
  readonly before: Moments | null
}

export interface FoldMomentOptions
  extends FoldOptions,
    Pick<GatherOptions, 'engine' | 'signal' | 'weights'>,
    ToleranceOption {}

/** Throws `FOLDS`, also where fewer than 2 folds have rows with a weight above 0. */
export async function foldMomentsOf(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: FoldMomentOptions,
): Promise<FoldMoments> {
  const folds = foldsOf(x.rows, options)
  // Ordered folds train on what came before, not on all others.
  const first = options.isOrdered ? [folds[0]!.train] : []
  const parts = [...folds.map(({ test }) => test), ...first]
  const found = await gatherParts(x, y, parts, {
    ...options,
    precision: precisionFor(options),
    isShared: options.engine?.tasks !== undefined,
  })
  return foldsFrom(found.slice(0, folds.length), found[folds.length] ?? null)
}

/** Throws `FOLDS` where fewer than 2 folds have rows with a weight above 0. */
export function foldsFrom(moments: readonly Moments[], before: Moments | null): FoldMoments {
  const tests = moments.filter(({ count }) => count > 0)
  if (tests.length < 2) throw wrongFolds(`${tests.length} with rows that have a weight`)
  return { all: sumOfMoments(before === null ? tests : [before, ...tests]), tests, before }
}

/** Without folds. */
export const wholeOf = (all: Moments): FoldMoments => ({ all, tests: [], before: null })

/**
 * What fold k is judged by, with the folds that it is made of. `room`, as long as a scatter, is what its moments may be
 * written into. Throws `FOLDS` where that is nothing.
 */
export function trainingOf({ all, tests, before }: FoldMoments, k: number, room?: Float64Array): FoldMoments {
  const earlier = tests.slice(0, k)
  const part =
    before === null
      ? { all: withoutMoments(all, tests[k]!, room), tests: tests.filter((_, i) => i !== k), before }
      : { all: sumOfMoments([before, ...earlier]), tests: earlier, before }
  if (part.all.count === 0) throw wrongFolds(`no rows that have a weight outside of fold ${k + 1}`)
  return part
}
