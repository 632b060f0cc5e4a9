/** How much the loss would change without a unit, by the first term of its Taylor series. */

import type { Score } from './score.js'
import { slopesOf } from './slopes.js'

export const taylor: Score = {
  id: 'taylor',
  summary: 'the mean size of the slope of the loss by a gate on the unit',
  source:
    'Molchanov, Tyree, Karras, Aila and Kautz 2017, Pruning CNNs for Resource Efficient Inference, equations 7 and 8: mean |Σ a ∂L/∂a|',
  needs: 'gradients',
  score: async (groups, context) => (await slopesOf(groups, context)).sizes,
}
