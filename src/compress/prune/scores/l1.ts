/** The sum of absolute weights of a unit's filter. */

import { filtersOf } from './filters.js'
import { perUnit, type Score } from './score.js'

export const l1: Score = {
  id: 'l1',
  summary: 'the sum of the absolute weights that make the unit',
  source: 'Li, Kadav, Durdanovic, Samet and Graf 2017, Pruning Filters for Efficient ConvNets, section 3.1: s = Σ |w|',
  needs: 'weights',
  score: async (groups, { model }) =>
    perUnit(groups, (group) =>
      filtersOf(group, model).map((filter) => filter.reduce((sum, w) => sum + Math.abs(w), 0)),
    ),
}
