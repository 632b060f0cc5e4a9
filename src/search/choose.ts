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

/** Latencies within this factor are the same to a user, and the smaller file wins. */
const TIE = 1.03

/**
 * The best result that keeps the budget. For latency: the fastest, and among those as fast the
 * smallest; for size: the smallest, then the fastest. Null where nothing is better than the original.
 */
export function chooseBest(
  results: readonly TrialResult[],
  objective: Objective,
  originalBytes: number,
): Measured | null {
  const kept = results.filter(isMeasured).filter((r) => r.keeps === true)
  const better = kept.filter((r) => r.bytes < originalBytes || isFaster(r.latency))
  if (better.length === 0) return null
  if (objective === 'size') return better.toSorted((a, b) => a.bytes - b.bytes || a.latency.ratio - b.latency.ratio)[0]!
  const fastest = better.reduce((a, b) => (b.latency.ratio < a.latency.ratio ? b : a))
  const tied = better.filter((r) => r.latency.ratio <= fastest.latency.ratio * TIE)
  return tied.toSorted((a, b) => a.bytes - b.bytes || a.latency.ratio - b.latency.ratio)[0]!
}
