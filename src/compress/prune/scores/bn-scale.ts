/** The scale that a BatchNormalization gives a unit. Cleaning folds most of them into the layers before. */

import { numbers } from '../../../ir/tensor.js'
import type { Model } from '../../../ir/types.js'
import { PareError } from '../../../util/errors.js'
import type { Group } from '../groups.js'
import type { Score } from './score.js'

export const bnScale: Score = {
  id: 'bn-scale',
  summary: 'the absolute scale that a BatchNormalization gives the unit',
  source:
    'Liu, Li, Shen, Huang, Yan and Zhang 2017, Network Slimming, section 3: |γ|; layers without one keep all units',
  needs: 'weights',
  async score(groups, { model }) {
    const scales = new Set(
      model.graph.nodes.flatMap(({ op, domain, inputs }) =>
        op === 'BatchNormalization' && domain === '' ? [inputs[1]!] : [],
      ),
    )
    const found = groups.flatMap((group) => {
      const own = scalesOf(group, scales, model)
      return own === null ? [] : [[group, own] as const]
    })
    if (found.length > 0) return new Map(found)
    throw new PareError('PRUNE_SCORE', 'there is no BatchNormalization whose scales are those of units', {
      where: 'bn-scale',
      remedy:
        'Choose another score. Where the model had normalizations, cleaning has folded them into the layers before: `pare prune` keeps them for this score.',
    })
  },
}

/** Of each unit the mean, where several normalizations scale it; null where none does. */
function scalesOf({ units }: Group, scales: ReadonlySet<string>, { graph }: Model): Float64Array | null {
  const found = units.map(({ slices }) =>
    slices
      .filter(({ constant }) => scales.has(constant))
      .flatMap(({ constant, indices }) => {
        const values = numbers(graph.constants.get(constant)!)
        return indices.map((k) => Math.abs(values[k]!))
      }),
  )
  return found.some((own) => own.length === 0)
    ? null
    : Float64Array.from(found, (own) => own.reduce((a, b) => a + b, 0) / own.length)
}
