/** The order in which units would be kept: each time the one that tells most of the label and least that is told already. */

import { mrmr as ordered } from '../../../reduce/select/mrmr.js'
import { readingsOf } from './readings.js'
import type { Score } from './score.js'
import { aimOf } from './target.js'

export const mrmr: Score = {
  id: 'mrmr',
  summary: "the unit's place when those that tell most of the label and least of each other are kept first",
  source:
    'Peng, Long and Ding 2005, Feature Selection Based on Mutual Information, equations 6 and 7: max I(aⱼ; y) − mean I(aⱼ; aₛ) over the kept s',
  needs: 'activations',
  async score(groups, context) {
    const { model, env } = context
    const readings = await readingsOf(groups, context, { withAnswers: true })
    const { target, isClasses } = await aimOf(readings, model)
    const scores = new Map<(typeof groups)[number], Float64Array>()
    for (const group of groups) {
      const columns = group.units.length
      const x = { rows: readings.count, columns, data: readings.means.get(group)! }
      const { seed, signal } = env
      const { order } = await ordered(x, target, {
        isClasses,
        ...(signal && { signal }),
        ...(seed !== undefined && { seed }),
      })
      // 1 for the first that is kept, 1/n for the last.
      const own = new Float64Array(columns)
      for (const [place, u] of order.entries()) own[u] = (columns - place) / columns
      scores.set(group, own)
    }
    return scores
  },
}
