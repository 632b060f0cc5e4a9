/** Scores from what the answers of a group's units tell of the labels, or, without these, of what the model answers. */

import type { DenseMatrix } from '../../../linear/design.js'
import type { Target } from '../../../reduce/select/columns.js'
import type { Group } from '../groups.js'
import { readingsOf } from './readings.js'
import type { ScoreContext } from './score.js'
import { aimOf } from './target.js'

interface Told {
  readonly isClasses: boolean
  readonly signal?: AbortSignal
  readonly seed?: number
}

/** `of`: scores of the columns of x, the mean answers of a group's units over samples. Throws as `aimOf`. */
export async function informedScores(
  groups: readonly Group[],
  context: ScoreContext,
  of: (x: DenseMatrix, target: Target, options: Told) => Promise<Float64Array>,
): Promise<ReadonlyMap<Group, Float64Array>> {
  const { seed, signal } = context.env
  const readings = await readingsOf(groups, context, { withAnswers: true })
  const { target, isClasses } = await aimOf(readings, context.model)
  const options = { isClasses, ...(signal && { signal }), ...(seed !== undefined && { seed }) }
  const scores = new Map<Group, Float64Array>()
  for (const group of groups) {
    const x = { rows: readings.count, columns: group.units.length, data: readings.means.get(group)! }
    scores.set(group, await of(x, target, options))
  }
  return scores
}
