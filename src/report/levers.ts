/** Recipes by their levers: how points are told apart, and what each lever bought. */

import type { Step } from '../search/trial.js'
import type { Candidate, View } from './view.js'

/** The folder of a transform's id: `prune` of `prune/channels`. */
const leverOf = ({ transform }: Step): string => transform.split('/')[0]!

/** `prune + quantize`; steps in their order, each lever once. */
const leversOf = ({ result }: Candidate): string =>
  [...new Set(result.trial.steps.map(leverOf))].filter((lever) => lever !== 'recover').join(' + ') || 'cleaned only'

/** Groups that have a mark of their own; what is rarer shares the last one. */
const MARKS = 5
const REST = 'others'

export interface Groups {
  /** Names by mark, the most frequent first. */
  readonly names: readonly string[]
  of(candidate: Candidate): number
}

export function groupsOf({ candidates }: View): Groups {
  const counts = new Map<string, number>()
  // Those of the front first: they are what is looked for.
  for (const c of candidates) counts.set(leversOf(c), (counts.get(leversOf(c)) ?? 0) + (c.onFront ? 1000 : 1))
  const order = [...counts].toSorted(([, a], [, b]) => b - a).map(([name]) => name)
  const names = order.length > MARKS + 1 ? [...order.slice(0, MARKS), REST] : order
  return {
    names,
    of(candidate) {
      const at = names.indexOf(leversOf(candidate))
      return at < 0 ? names.length - 1 : at
    },
  }
}

/** The best within the budget with a lever and without it, by what the budget is for. */
export interface Bought {
  readonly lever: string
  readonly recipes: number
  readonly best: Candidate | null
  readonly without: Candidate | null
}

export function boughtBy(view: View): readonly Bought[] {
  const { candidates } = view
  const kept = candidates.filter((c) => c.result.keeps === true)
  const has = (c: Candidate, lever: string): boolean => c.result.trial.steps.some((s) => leverOf(s) === lever)
  const levers = [...new Set(candidates.flatMap((c) => c.result.trial.steps.map(leverOf)))]
  return levers.map((lever) => ({
    lever,
    recipes: candidates.filter((c) => has(c, lever)).length,
    // Candidates are in the order of the objective.
    best: kept.find((c) => has(c, lever)) ?? null,
    without: kept.find((c) => !has(c, lever)) ?? null,
  }))
}
