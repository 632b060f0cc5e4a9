/** Where each weight is cut off. */

import { percent } from '../../util/format.js'
import type { Cut, Decomposition } from './decompose.js'
import type { FactorizeParams } from './params.js'

/** Halvings of the share that is left out. */
const STEPS = 40

/** `whole`: the parameters of each weight as it is. Warns where even the smallest cuts leave more than the ratio. */
export function chooseCuts(
  found: readonly Decomposition[],
  whole: readonly number[],
  { rank, energy, ratio }: Pick<FactorizeParams, 'rank' | 'energy' | 'ratio'>,
  onWarning?: (message: string) => void,
): readonly Cut[] {
  const byTail = (tail: number): readonly Cut[] => found.map((d) => d.byTail(tail))
  if (rank === 'energy') return byTail(1 - energy)
  if (rank !== 'ratio') return found.map((d) => d.byCriterion(rank))
  const leftBy = (cuts: readonly Cut[]): number =>
    cuts.reduce((sum, { parameters }, i) => sum + Math.min(parameters, whole[i]!), 0)
  return cutsForRatio(
    byTail,
    leftBy,
    whole.reduce((sum, n) => sum + n, 0),
    ratio,
    onWarning,
  )
}

/** The least share, one for all of them, by whose cuts few enough of `all` parameters are left. */
export function cutsForRatio<C>(
  byTail: (tail: number) => readonly C[],
  leftBy: (cuts: readonly C[]) => number,
  all: number,
  ratio: number,
  onWarning?: (message: string) => void,
): readonly C[] {
  const isEnough = (cuts: readonly C[]): boolean => leftBy(cuts) <= ratio * all
  let [low, high] = [0, 1]
  for (let i = 0; i < STEPS; i++) {
    const middle = (low + high) / 2
    if (isEnough(byTail(middle))) high = middle
    else low = middle
  }
  const cuts = byTail(high)
  if (!isEnough(cuts)) {
    onWarning?.(
      `A ratio of ${percent(ratio)} cannot be met: cut as far as they can be, the layers keep ${percent(leftBy(cuts) / all)} of their parameters.`,
    )
  }
  return cuts
}
