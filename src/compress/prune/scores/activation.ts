/** How large what a unit puts out is. */

import { readingsOf } from './readings.js'
import { perUnit, type Score } from './score.js'

export const activation: Score = {
  id: 'activation',
  summary: 'the mean size of what the unit puts out',
  source:
    'Molchanov, Tyree, Karras, Aila and Kautz 2017, Pruning CNNs for Resource Efficient Inference, section 2.2: mean |a|',
  needs: 'activations',
  async score(groups, context) {
    const { sizes, count } = await readingsOf(groups, context)
    return perUnit(groups, (group) => {
      const values = sizes.get(group)!
      const width = group.units.length
      const sums = new Float64Array(width)
      values.forEach((v, i) => {
        sums[i % width]! += v / count
      })
      return sums
    })
  },
}
