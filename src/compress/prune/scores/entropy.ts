/** How much a unit's answers differ between samples: one that answers alike to all tells nothing. */

import { readingsOf } from './readings.js'
import { perUnit, type Score } from './score.js'

/** Of equal width over the range of the unit. */
const BINS = 16

export const entropy: Score = {
  id: 'entropy',
  summary: 'the entropy of the mean of what the unit puts out, over samples',
  source:
    'Luo and Wu 2017, An Entropy-based Pruning Method for CNN Compression, section 3.2: −Σ p ln p over bins of the globally pooled activation',
  needs: 'activations',
  async score(groups, context) {
    const { means, count } = await readingsOf(groups, context)
    return perUnit(groups, (group) => {
      const values = means.get(group)!
      const width = group.units.length
      return group.units.map((_, u) =>
        entropyOf(Float64Array.from({ length: count }, (_, i) => values[i * width + u]!)),
      )
    })
  },
}

/** In nats, over bins of equal width between the least and the largest value. */
export function entropyOf(values: Float64Array): number {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  if (!(high > low)) return 0
  const counts = new Float64Array(BINS)
  for (const v of values) counts[Math.min(BINS - 1, Math.floor((BINS * (v - low)) / (high - low)))]!++
  return counts.reduce((sum, n) => (n === 0 ? sum : sum - (n / values.length) * Math.log(n / values.length)), 0)
}
