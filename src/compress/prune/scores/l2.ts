/** The sum of squares of all weights of a unit, those that make it and those that read it. */

import { isFloat } from '../../../ir/dtypes.js'
import { numbers } from '../../../ir/tensor.js'
import type { Model } from '../../../ir/types.js'
import type { Unit } from '../groups.js'
import { eachElement, type Score } from './score.js'

export const l2: Score = {
  id: 'l2',
  summary: 'the sum of squares of the weights that make and read the unit',
  source: 'Fang, Ma, Song, Mi and Wang 2023, DepGraph: Towards Any Structural Pruning, section 3.4',
  needs: 'weights',
  score: async (groups, { model }) =>
    new Map(groups.map((group) => [group, Float64Array.from(group.units, (unit) => squares(unit, model))])),
}

function squares({ slices }: Unit, { graph }: Model): number {
  let total = 0
  for (const slice of slices) {
    const t = graph.constants.get(slice.constant)
    if (t === undefined || !isFloat(t.dtype)) continue
    const values = numbers(t)
    eachElement(t, slice, (i) => {
      total += values[i]! ** 2
    })
  }
  return total
}
