/** How much a unit's answers say of the labels, or, where there are none, of what the model answers. */

import { mutualInformation as informationOn } from '../../../reduce/select/mutual-information.js'
import { readingsOf } from './readings.js'
import type { Score } from './score.js'
import { aimOf } from './target.js'

export const mutualInformation: Score = {
  id: 'mutual-information',
  summary: "what the unit's mean answer tells of the label, or of the model's own answer",
  source:
    'I(a; y) in nats, estimated as in Ross 2014, equation 5 (classes), or Kraskov, Stögbauer and Grassberger 2004, equation 8 (numbers)',
  needs: 'activations',
  async score(groups, context) {
    const { model, env } = context
    const readings = await readingsOf(groups, context, { withAnswers: true })
    const { target, isClasses } = await aimOf(readings, model)
    const scores = new Map<(typeof groups)[number], Float64Array>()
    for (const group of groups) {
      const x = { rows: readings.count, columns: group.units.length, data: readings.means.get(group)! }
      const { seed, signal } = env
      const found = await informationOn(x, target, {
        isClasses,
        ...(signal && { signal }),
        ...(seed !== undefined && { seed }),
      })
      scores.set(group, found.scores)
    }
    return scores
  },
}
