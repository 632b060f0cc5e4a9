/** The order in which units would be kept: each time the one that tells most of the label and least that is told already. */

import { mrmr as ordered } from '../../../reduce/select/mrmr.js'
import { informedScores } from './informed.js'
import type { Score } from './score.js'

export const mrmr: Score = {
  id: 'mrmr',
  summary: "the unit's place when those that tell most of the label and least of each other are kept first",
  source:
    'Peng, Long and Ding 2005, Feature Selection Based on Mutual Information, equations 6 and 7: max I(aⱼ; y) − mean I(aⱼ; aₛ) over the kept s',
  needs: 'activations',
  score: (groups, context) =>
    informedScores(groups, context, async (x, target, options) => {
      const { order } = await ordered(x, target, options)
      // 1 for the first that is kept, 1/n for the last.
      const own = new Float64Array(x.columns)
      for (const [place, u] of order.entries()) own[u] = (x.columns - place) / x.columns
      return own
    }),
}
