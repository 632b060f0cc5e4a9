/** How far a unit's filter lies from all others of its group: the nearest to their middle can be stood for by the others. */

import { filtersOf } from './filters.js'
import { perUnit, type Score } from './score.js'

export const geometricMedian: Score = {
  id: 'geometric-median',
  summary: 'the sum of distances of the weights that make the unit to those of all others',
  source:
    'He, Liu, Wang, Hu and Yang 2019, Filter Pruning via Geometric Median, equations 4 and 5: g(x) = Σⱼ ‖x − fⱼ‖, the least goes',
  needs: 'weights',
  score: async (groups, { model }) =>
    perUnit(groups, (group) => {
      const filters = filtersOf(group, model)
      return filters.map((own) => filters.reduce((sum, other) => sum + distance(own, other), 0))
    }),
}

const distance = (a: Float64Array, b: Float64Array): number =>
  Math.sqrt(a.reduce((sum, v, i) => sum + (v - (b[i] ?? 0)) ** 2, 0))
