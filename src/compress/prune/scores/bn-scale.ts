/** The scale that a BatchNormalization gives a unit. Cleaning folds most of them into the layers before. */

import { numbers } from '../../../ir/tensor.js'
import type { Model } from '../../../ir/types.js'
import { PareError } from '../../../util/errors.js'
import type { Group, Unit } from '../groups.js'
import { perUnit, type Score } from './score.js'

export const bnScale: Score = {
  id: 'bn-scale',
  summary: 'the absolute scale that a BatchNormalization gives the unit',
  source: 'Liu, Li, Shen, Huang, Yan and Zhang 2017, Network Slimming, section 3: |γ|',
  needs: 'weights',
  async score(groups, { model }) {
    const scales = new Set(
      model.graph.nodes.flatMap(({ op, domain, inputs }) =>
        op === 'BatchNormalization' && domain === '' ? [inputs[1]!] : [],
      ),
    )
    return perUnit(groups, (group) => group.units.map((unit) => scaleOf(unit, scales, group, model)))
  },
}

/** The mean, where several normalizations scale it. */
function scaleOf({ slices }: Unit, scales: ReadonlySet<string>, group: Group, { graph }: Model): number {
  const own = slices.filter(({ constant }) => scales.has(constant))
  const found = own.flatMap(({ constant, indices }) => {
    const values = numbers(graph.constants.get(constant)!)
    return indices.map((k) => Math.abs(values[k]!))
  })
  if (found.length > 0) return found.reduce((a, b) => a + b, 0) / found.length
  throw new PareError('PRUNE_SCORE', 'no BatchNormalization with constant scales follows this layer', {
    where: group.name,
    value: 'bn-scale',
    remedy:
      'Choose another score, or exclude the layer. Where the model had one, cleaning has folded it into the layer before: `pare prune` keeps it for this score.',
  })
}
