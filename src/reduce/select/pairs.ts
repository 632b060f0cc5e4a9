/** Mutual information of pairs of variables, in several threads where there are some. */

import { openNeighbourKernel } from '../../kernels/neighbour-kernel.js'
import { type EstimatorOptions, information } from './estimators.js'
import { type ShareOptions, shareOut, type Work } from './share-out.js'
import type { Variable } from './variables.js'

export type Pair = readonly [Variable, Variable]

export interface PairsInput {
  readonly pairs: readonly Pair[]
  readonly options: EstimatorOptions
}

export function measuring({ pairs, options }: PairsInput): (item: number) => number {
  const kernel = openNeighbourKernel(lengthOf(pairs[0]![0]))
  return (item) => information(...pairs[item]!, options, kernel)
}

const MEASURING: Work<PairsInput, number> = {
  name: 'mutual information',
  task: { module: 'reduce/select/pairs-task.js' },
  of: measuring,
}

/** In nats, by pair. */
export async function informationOf(
  pairs: readonly Pair[],
  { nNeighbors = 3, correction = 'none' }: EstimatorOptions,
  share: ShareOptions,
): Promise<readonly number[]> {
  if (pairs.length === 0) return []
  return shareOut(MEASURING, { pairs, options: { nNeighbors, correction } }, pairs.length, share)
}

const lengthOf = (variable: Variable): number =>
  variable.kind === 'discrete' ? variable.codes.length : variable.values.length
