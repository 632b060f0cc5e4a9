/** What results are worth to a front: as points, and as the volume that they add. */

import { isMeasured, type Measured } from '../choose.js'
import type { TrialResult } from '../trial.js'
import { hypervolume } from './hypervolume.js'

export interface Goal {
  readonly originalBytes: number
  readonly maxDrop: number
  /** Times the budget that still counts. */
  readonly slack?: number
  readonly limits: { readonly bytes?: number; readonly latency?: number }
}

type Point = readonly [number, number, number]

/** Bytes and latency count by their logarithms, 20× to 10× as much as 2× to 1×, up to a quarter above the original. */
const REFERENCE: Point = [Math.log(1.25), Math.log(1.25), 2]
/** A budget of nothing still tells drops apart. */
const LEAST_DROP = 1e-4

/** ln bytes ÷ original, ln latency ÷ original, drop ÷ budget; all are to be small. */
export const pointOf = ({ originalBytes, maxDrop, slack = 1 }: Goal, r: Measured): Point => [
  Math.log(r.bytes / originalBytes),
  Math.log(r.latency.ratio),
  Math.max(0, r.quality?.drop ?? 0) / (Math.max(maxDrop, LEAST_DROP) * slack),
]

/** Within the budget times its slack, and within the hard limits. */
export const isWithin = ({ maxDrop, slack = 1, limits }: Goal, r: Measured): boolean =>
  (r.quality?.drop ?? 0) <= maxDrop * slack &&
  r.bytes <= (limits.bytes ?? Number.POSITIVE_INFINITY) &&
  r.latency.p50 <= (limits.latency ?? Number.POSITIVE_INFINITY)

/** The volume that the results within the limits dominate. */
export const volumeOf = (goal: Goal, results: readonly TrialResult[]): number =>
  hypervolume(
    results
      .filter(isMeasured)
      .filter((r) => isWithin(goal, r))
      .map((r) => pointOf(goal, r)),
    REFERENCE,
  )

/**
 * The `most` results that go on: each time the one that adds most volume to those before it. What adds nothing follows
 * by how far it is beyond the budget.
 */
export function promising(goal: Goal, results: readonly TrialResult[], most: number): readonly TrialResult[] {
  const left = new Set(results.filter(isMeasured))
  const taken: Measured[] = []
  while (taken.length < most && left.size > 0) {
    const base = volumeOf(goal, taken)
    const gains = [...left].map((r) => ({ r, gain: volumeOf(goal, [...taken, r]) - base, drop: pointOf(goal, r)[2] }))
    const best = gains.reduce((a, b) => (b.gain > a.gain || (b.gain === a.gain && b.drop < a.drop) ? b : a))
    taken.push(best.r)
    left.delete(best.r)
  }
  return taken
}
