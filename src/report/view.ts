/** What the sections of the report share: candidates numbered and ordered. */

import type { Outcome } from '../search/outcome.js'
import type { Latency, TrialResult } from '../search/trial.js'

/** A candidate that was measured; `number` is its row in the table and its label in the plots. */
export interface Candidate {
  readonly number: number
  readonly result: TrialResult
  readonly bytes: number
  readonly latency: Latency
  readonly state: 'chosen' | 'good' | 'over' | 'unknown'
  readonly onFront: boolean
}

export interface View {
  readonly outcome: Outcome
  /** Best first: by what the budget is for. */
  readonly candidates: readonly Candidate[]
  readonly failed: readonly TrialResult[]
  readonly chosen: Candidate | null
}

export function viewOf(outcome: Outcome): View {
  const measured = outcome.trials.flatMap((result) =>
    result.status === 'ok' && result.bytes !== undefined && result.latency !== undefined
      ? [{ result, bytes: result.bytes, latency: result.latency }]
      : [],
  )
  const first = (m: (typeof measured)[number]) => (outcome.budget.for === 'size' ? m.bytes : m.latency.ratio)
  const second = (m: (typeof measured)[number]) => (outcome.budget.for === 'size' ? m.latency.ratio : m.bytes)
  const candidates = measured
    .sort((a, b) => first(a) - first(b) || second(a) - second(b))
    .map((m, i): Candidate => {
      return {
        ...m,
        number: i + 1,
        state: stateOf(m.result, outcome),
        onFront: outcome.front.includes(m.result.trial.id),
      }
    })
  return {
    outcome,
    candidates,
    failed: outcome.trials.filter((t) => t.status === 'failed'),
    chosen: candidates.find((c) => c.state === 'chosen') ?? null,
  }
}

function stateOf(result: TrialResult, outcome: Outcome): Candidate['state'] {
  if (result.trial.id === outcome.chosen) return 'chosen'
  if (result.quality === undefined) return 'unknown'
  return result.quality.drop <= outcome.budget.maxDrop ? 'good' : 'over'
}
