/** How much a unit's answers say of the labels, or, where there are none, of what the model answers. */

import { mutualInformation as informationOn } from '../../../reduce/select/mutual-information.js'
import { informedScores } from './informed.js'
import type { Score } from './score.js'

export const mutualInformation: Score = {
  id: 'mutual-information',
  summary: "what the unit's mean answer tells of the label, or of the model's own answer",
  source:
    'I(a; y) in nats, estimated as in Ross 2014, equation 5 (classes), or Kraskov, Stögbauer and Grassberger 2004, equation 8 (numbers)',
  needs: 'activations',
  score: (groups, context) =>
    informedScores(groups, context, async (x, target, options) => (await informationOn(x, target, options)).scores),
}
