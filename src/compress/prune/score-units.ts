/** The worth of units by a score that is named, checked. */

import { PareError } from '../../util/errors.js'
import type { UnitScores } from './choose.js'
import type { Group } from './groups.js'
import { SCORES } from './scores/index.js'
import type { Score, ScoreContext } from './scores/score.js'

/** Throws `PRUNE_SCORE` for a name that is none. */
function findScore(id: string): Score {
  const found = SCORES.find((s) => s.id === id)
  if (found !== undefined) return found
  throw new PareError('PRUNE_SCORE', 'there is no such score', {
    value: id,
    remedy: `Give one of: ${SCORES.map((s) => s.id).join(', ')}.`,
  })
}

/**
 * By group, in the order of its units; the smaller, the less is lost. Groups that the score says nothing of are left out. Throws `PRUNE_SAMPLES` where the score looks at
 * samples and there are none, and `PRUNE_SCORE` where it cannot be told, or is no finite number.
 */
export async function scoreUnits(id: string, groups: readonly Group[], context: ScoreContext): Promise<UnitScores> {
  const found = groups.length === 0 ? new Map() : await findScore(id).score(groups, context)
  const odd = groups.find((group) => found.get(group)?.every(Number.isFinite) === false)
  if (odd === undefined) return found
  throw new PareError('PRUNE_SCORE', 'the score of a unit is not a finite number', {
    where: odd.name,
    value: id,
    remedy: 'Look for NaN and infinities in the weights and in the samples.',
  })
}
