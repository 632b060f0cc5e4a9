/** How much the loss would grow without a unit, by Fisher's information on a gate in place of the curvature. */

import { perUnit, type Score } from './score.js'
import { slopesOf } from './slopes.js'

export const fisher: Score = {
  id: 'fisher',
  summary: 'half the mean square of the slope of the loss by a gate on the unit',
  source:
    'Theis, Korshunova, Tejani and Huszár 2018, Faster Gaze Prediction With Dense Networks and Fisher Pruning, equations 5 to 7: ½ mean (Σ a ∂L/∂a)²; optimal brain damage (LeCun, Denker and Solla 1990) with that curvature',
  needs: 'gradients',
  async score(groups, context) {
    const { squares } = await slopesOf(groups, context)
    return perUnit(groups, (group) => squares.get(group)!.map((v) => v / 2))
  },
}
