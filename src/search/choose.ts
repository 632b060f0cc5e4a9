/** Choosing among results: the front to show, and the one to hand back. */

import { paretoFront } from './pareto.js'
import type { TrialResult } from './trial.js'
import { isFaster, isSlower } from './verdicts.js'

export type Objective = 'latency' | 'size'

export type Measured = TrialResult & Required<Pick<TrialResult, 'bytes' | 'latency' | 'sha256'>>

export const isMeasured = (r: TrialResult): r is Measured =>
  r.status === 'ok' && r.bytes !== undefined && r.latency !== undefined

/**
 * Ids on the Pareto front of size, latency and drop, `original` among them where nothing beats it. Candidates that
 * are slower beyond doubt or larger than the original cannot be handed back and are not on it.
 */
export function frontOf(results: readonly TrialResult[], originalBytes: number): readonly string[] {
  const points = [
    { id: 'original', at: [originalBytes, 1, 0] },
    ...results
      .filter(isMeasured)
      .filter((r) => r.bytes <= originalBytes && !isSlower(r.latency))
      .map((r) => ({ id: r.trial.id, at: [r.bytes, r.latency.ratio, Math.max(0, r.quality?.drop ?? 0)] })),
  ]
  return paretoFront(points, (p) => p.at).map((p) => p.id)
}

/** Within this factor of the best, a difference in what was asked for is nothing to a user, and the other counts as well. */
const TIE = { latency: 1.03, size: 1.02 } as const satisfies Record<Objective, number>

/**
 * The best result that keeps the budget: of those that are about as fast as the fastest (for size, about as small as
 * the smallest), the one with the least product of latency and bytes. Null where nothing is better than the original.
 */
export function chooseBest(
  results: readonly TrialResult[],
  objective: Objective,
  originalBytes: number,
): Measured | null {
  const kept = results.filter(isMeasured).filter((r) => r.keeps === true)
  const better = kept.filter((r) => r.bytes < originalBytes || isFaster(r.latency))
  if (better.length === 0) return null
  const cost = (r: Measured): number => (objective === 'size' ? r.bytes : r.latency.ratio)
  const least = Math.min(...better.map(cost))
  const product = (r: Measured): number => r.bytes * r.latency.ratio
  return better.filter((r) => cost(r) <= least * TIE[objective]).reduce((a, b) => (product(b) < product(a) ? b : a))
}

/**
 * What to warn of where nobody has looked at what 8 bits cost: of an activation with one grid for all its channels, a
 * single large one takes it from all others. Null where quality was measured, or only weights have fewer bits.
 */
export function unseenRisk(chosen: TrialResult | null): string | null {
  if (chosen === null || chosen.quality !== undefined) return null
  if (!chosen.trial.steps.some((s) => s.transform === 'quantize/dynamic')) return null
  return 'The chosen model computes products in 8 bits, and nothing measured what that costs: where one channel of an activation is far larger than the others, the outputs can be wrong altogether. Give samples with --data.'
}
