/** Pruning in rounds: score, cut, recover, and again. */

import { throwIfAborted } from '../../engine/failures.js'
import type { Model } from '../../ir/types.js'
import type { TransformEnv } from '../transform.js'
import { type Choice, chooseUnits, type UnitScores } from './choose.js'
import { cutUnits } from './cut.js'
import { findGroups, type Group, type Unit } from './groups.js'
import { scoreUnits } from './score-units.js'

export interface RoundsOptions extends Pick<Choice, 'scope' | 'multiple'> {
  readonly score: string
  /** Of the groups of the first model that may lose units. */
  readonly scores: UnitScores
  /** What part of the first model's units is gone after each round (`ratiosOf`), or, of each group by its name. */
  readonly ratios: readonly (number | ReadonlyMap<string, number>)[]
  /** Whether units of the group may go. */
  readonly isOpen: (group: Group) => boolean
  /** Between rounds, and after the last. */
  readonly recover?: (model: Model, round: number) => Promise<Model>
}

export interface Rounds {
  readonly model: Model
  /** The same without what was recovered after the last round. */
  readonly cut: Model
  /** What went in each round; see `rewind`. */
  readonly cuts: readonly (readonly Unit[])[]
  /** How many units of each group went, by its name. */
  readonly gone: ReadonlyMap<string, number>
}

/** Scores are found anew in each round, on the model as it is then. */
export async function pruneInRounds(model: Model, options: RoundsOptions, env: TransformEnv): Promise<Rounds> {
  const { score, ratios, isOpen, recover, scope, multiple } = options
  const first = new Map([...options.scores.keys()].map((g) => [g.name, g.units.length]))
  const gone = new Map<string, number>()
  const cuts: (readonly Unit[])[] = []
  let [current, cut, scores] = [model, model, options.scores]
  for (const [round, ratio] of ratios.entries()) {
    throwIfAborted(env.signal)
    env.onProgress?.({ task: 'pruning', done: round, total: ratios.length })
    if (round > 0) scores = await scoreUnits(score, findGroups(current).groups.filter(isOpen), { model: current, env })
    const groups = [...scores.keys()]
    const units = chooseUnits(groups, scores, { ratio: ratioNow(groups, first, ratio, scope), scope, multiple })
    const chosen = new Set(units)
    for (const { name, units: own } of groups)
      gone.set(name, (gone.get(name) ?? 0) + own.filter((unit) => chosen.has(unit)).length)
    cut = cutUnits(current, units)
    cuts.push(units)
    current = recover ? await recover(cut, round) : cut
  }
  return { model: current, cut, cuts, gone }
}

/** The part of what is there now that must go, so that a part of what was there at first is gone. */
function ratioNow(
  groups: readonly Group[],
  first: ReadonlyMap<string, number>,
  ratio: number | ReadonlyMap<string, number>,
  scope: Choice['scope'],
): Choice['ratio'] {
  const share = (now: number, then: number, gone: number): number => Math.max(0, 1 - (then * (1 - gone)) / now)
  const firstOf = ({ name, units }: Group): number => first.get(name) ?? units.length
  if (typeof ratio !== 'number' || scope === 'layer') {
    const goneOf = ({ name }: Group): number => (typeof ratio === 'number' ? ratio : (ratio.get(name) ?? 0))
    return new Map(groups.map((g) => [g, share(g.units.length, firstOf(g), goneOf(g))]))
  }
  const sum = (of: (group: Group) => number): number => groups.reduce((total, g) => total + of(g), 0)
  const now = sum((g) => g.units.length)
  return now === 0 ? 0 : share(now, sum(firstOf), ratio)
}
