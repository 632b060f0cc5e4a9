/** Which units go, given what each is worth: the cheapest of each group, or of all groups together. */

import type { Group, Unit } from './groups.js'

export interface Choice {
  /** The part of the units that goes: of each group, or of all together. */
  readonly ratio: number
  readonly scope: 'layer' | 'global'
  /** Widths that stay are rounded up to a multiple of this, where the layer is that wide. */
  readonly multiple: number
}

export type UnitScores = ReadonlyMap<Group, Float64Array>

/** The units that go; of each group at least one stays. Ties go to the unit that comes first. */
export function chooseUnits(groups: readonly Group[], scores: UnitScores, choice: Choice): readonly Unit[] {
  const most = choice.scope === 'global' ? cheapestOfAll(groups, scores, choice.ratio) : null
  return groups.flatMap((group) => {
    const wanted = most?.get(group) ?? choice.ratio * group.units.length
    const count = group.units.length - leftOf(group, group.units.length - wanted, choice.multiple)
    return cheapest(scores.get(group)!)
      .slice(0, count)
      .map((i) => group.units[i]!)
  })
}

/** Positions, the cheapest first. */
const cheapest = (scores: Float64Array): readonly number[] =>
  [...scores.keys()].sort((i, j) => scores[i]! - scores[j]! || i - j)

/** Of one layer at most this part goes, however little it seems worth: nothing passes through an empty layer. */
const MOST = 0.9

/**
 * How many units of each group are among the cheapest of all. Layers differ in scale, so each score is divided by the
 * mean magnitude of its group first.
 */
function cheapestOfAll(groups: readonly Group[], scores: UnitScores, ratio: number): ReadonlyMap<Group, number> {
  const all = groups.flatMap((group) => {
    const own = scores.get(group)!
    const mean = own.reduce((a, b) => a + Math.abs(b), 0) / own.length
    return [...own].map((score) => ({ group, score: mean > 0 ? score / mean : 0 }))
  })
  const counts = new Map<Group, number>(groups.map((group) => [group, 0]))
  let left = Math.floor(ratio * all.length)
  for (const { group } of all.sort((a, b) => a.score - b.score)) {
    const next = counts.get(group)! + 1
    if (left === 0 || next > MOST * group.units.length) continue
    counts.set(group, next)
    left--
  }
  return counts
}

/** Units that stay, at least `wanted` and one: a whole multiple of the width where there are that many. */
function leftOf({ units, width }: Group, wanted: number, multiple: number): number {
  const step = multiple / gcd(multiple, width)
  const least = Math.max(1, Math.ceil(wanted - 1e-9))
  return Math.min(units.length, units.length > step ? Math.ceil(least / step) * step : least)
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))
