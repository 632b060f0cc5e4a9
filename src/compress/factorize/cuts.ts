/** Where each weight is cut off. */

import type { Cut, Decomposition } from './decompose.js'
import type { FactorizeParams } from './params.js'

/** Halvings of the share that is left out. */
const STEPS = 40

/** `whole`: the parameters of each weight as it is. */
export function chooseCuts(
  found: readonly Decomposition[],
  whole: readonly number[],
  { rank, energy, ratio }: Pick<FactorizeParams, 'rank' | 'energy' | 'ratio'>,
): readonly Cut[] {
  const byTail = (tail: number): readonly Cut[] => found.map((d) => d.byTail(tail))
  if (rank === 'energy') return byTail(1 - energy)
  if (rank !== 'ratio') return found.map((d) => d.byCriterion(rank))
  // One share for all layers: the least that leaves few enough parameters.
  const most = ratio * whole.reduce((sum, n) => sum + n, 0)
  const isEnough = (cuts: readonly Cut[]): boolean =>
    cuts.reduce((sum, { parameters }, i) => sum + Math.min(parameters, whole[i]!), 0) <= most
  let [low, high] = [0, 1]
  for (let i = 0; i < STEPS; i++) {
    const middle = (low + high) / 2
    if (isEnough(byTail(middle))) high = middle
    else low = middle
  }
  return byTail(high)
}
