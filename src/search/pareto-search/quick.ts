/**
 * What a search begins with where minutes bound it: the best of quantization alone, layers that fall back to float and
 * mixed precision among it, as far as a part of the time allows.
 */

import { timed } from '../evaluate.js'
import { type Exploration, type Found, tryQuantizing } from '../explore.js'
import { remember } from '../journal.js'
import type { Latency } from '../trial.js'

type Quick = Omit<Found, 'search'>

/** Parts of the time by whose end the objective that was asked for, and then the other one, must have been tried. */
const SHARES = [0.25, 0.4] as const

/** `seconds` of all runs together; null for no bound. */
export async function quantizedAlone(exploration: Exploration, seconds: number | null): Promise<Quick> {
  const { journal, objective } = exploration
  const until = (share: number) => (): boolean => journal.spent() >= share * (seconds ?? Number.POSITIVE_INFINITY)
  const own = await tryQuantizing({ ...exploration, isOver: until(SHARES[0]) })
  const second = {
    ...exploration,
    objective: objective === 'size' ? 'latency' : 'size',
    isOver: until(SHARES[1]),
  } as const
  const other = await tryQuantizing(second)
  const known = new Set(own.results.map((r) => r.trial.id))
  return {
    baseline: own.baseline,
    results: [...own.results, ...other.results.filter((r) => !known.has(r.trial.id))],
    sensitivity: new Map([...other.sensitivity, ...own.sensitivity]),
  }
}

/** Where recipes are counted, nothing is tried but what is drawn. */
export async function nothingYet({ setup, journal }: Exploration): Promise<Quick> {
  const baseline = await remember<Latency>(journal, 'baseline', () => timed(setup, setup.original))
  return { baseline, results: [], sensitivity: new Map() }
}
