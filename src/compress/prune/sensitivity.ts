/** How much is lost when each group is cut alone, and how much of each may go for the same loss everywhere. */

import { throwIfAborted } from '../../engine/failures.js'
import type { Model } from '../../ir/types.js'
import type { RunOptions } from '../../util/env.js'
import { chooseUnits, type UnitScores } from './choose.js'
import { cutUnits } from './cut.js'
import type { Group } from './groups.js'

/** Of one group: what is lost at each ratio, in rising order. */
export interface Sensitivity {
  readonly group: Group
  readonly drops: readonly { readonly ratio: number; readonly drop: number }[]
}

export interface SensitivityOptions extends Pick<RunOptions, 'signal' | 'onProgress'> {
  /** Default 0.25, 0.5, 0.75, 0.9. */
  readonly ratios?: readonly number[]
  readonly multiple?: number
  /** How much worse a model is, in any unit. */
  readonly drop: (model: Model) => Promise<number>
}

/** Cuts each group alone at a few ratios (Li et al. 2017, section 3.2, figure 2b). */
export async function sensitivitiesOf(
  model: Model,
  groups: readonly Group[],
  scores: UnitScores,
  { ratios = [0.25, 0.5, 0.75, 0.9], multiple = 1, drop, signal, onProgress }: SensitivityOptions,
): Promise<readonly Sensitivity[]> {
  const found: Sensitivity[] = []
  for (const group of groups) {
    const drops: Sensitivity['drops'][number][] = []
    for (const ratio of ratios) {
      throwIfAborted(signal)
      const units = chooseUnits([group], scores, { ratio, scope: 'layer', multiple })
      drops.push({ ratio, drop: Math.max(0, await drop(cutUnits(model, units))) })
    }
    found.push({ group, drops })
    onProgress?.({ task: 'sensitivity of layers', done: found.length, total: groups.length })
  }
  return found
}

/** Halvings of the loss that all groups may have. */
const HALVINGS = 50

/**
 * The ratio of each group at which all lose alike, between the measured ratios on straight lines, such that the given
 * part of all units goes; less where that is more than was measured.
 */
export function ratiosBySensitivity(found: readonly Sensitivity[], ratio: number): ReadonlyMap<Group, number> {
  const total = found.reduce((sum, { group }) => sum + group.units.length, 0)
  const at = (loss: number): ReadonlyMap<Group, number> => new Map(found.map((one) => [one.group, ratioAt(one, loss)]))
  const partAt = (loss: number): number =>
    found.reduce((sum, one) => sum + ratioAt(one, loss) * one.group.units.length, 0) / total
  let [low, high] = [0, Math.max(0, ...found.flatMap(({ drops }) => drops.map((d) => d.drop)))]
  if (partAt(high) <= ratio) return at(high)
  if (partAt(low) > ratio) return evenly(new Map(found.map(({ group }) => [group, 0])), at(low), ratio / partAt(low))
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2
    if (partAt(middle) < ratio) low = middle
    else high = middle
  }
  return evenly(at(low), at(high), (ratio - partAt(low)) / Math.max(partAt(high) - partAt(low), 1e-12))
}

/** Where a ratio jumps at one loss, as it does for groups that lose nothing, a part of the way. */
const evenly = (a: ReadonlyMap<Group, number>, b: ReadonlyMap<Group, number>, share: number) =>
  new Map([...a].map(([group, r]) => [group, r + Math.min(1, Math.max(0, share)) * (b.get(group)! - r)]))

/** The largest ratio whose loss, and that of all before it, is no more. */
function ratioAt({ drops }: Sensitivity, loss: number): number {
  let [ratio, lost] = [0, 0]
  for (const next of drops) {
    const drop = Math.max(next.drop, lost)
    if (drop > loss) return drop === lost ? ratio : ratio + ((next.ratio - ratio) * (loss - lost)) / (drop - lost)
    ratio = next.ratio
    lost = drop
  }
  return ratio
}
