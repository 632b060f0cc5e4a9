/** The weights that make a unit: its filter in the terms of papers on convolutions. */

import { isFloat } from '../../../ir/dtypes.js'
import { numbers } from '../../../ir/tensor.js'
import type { Model, Tensor } from '../../../ir/types.js'
import type { Group, Slice, Unit } from '../groups.js'
import { eachElement } from './score.js'

/**
 * Of each unit all weights that make it, one after the other. Biases, and scales and statistics of normalizations, which
 * lie along one axis, are no part of a filter.
 */
export function filtersOf(group: Group, { graph }: Model): readonly Float64Array[] {
  const arrays = new Map<string, ArrayLike<number>>()
  const valuesOf = (name: string, t: Tensor): ArrayLike<number> => {
    const values = arrays.get(name) ?? numbers(t)
    arrays.set(name, values)
    return values
  }
  const isWeight = ({ role, constant }: Slice): boolean => {
    const t = graph.constants.get(constant)
    return role === 'output' && t !== undefined && isFloat(t.dtype) && t.shape.length > 1
  }
  return group.units.map(({ slices }: Unit) => {
    const filter: number[] = []
    for (const slice of slices.filter(isWeight)) {
      const t = graph.constants.get(slice.constant)!
      const values = valuesOf(slice.constant, t)
      eachElement(t, slice, (i) => {
        filter.push(values[i]!)
      })
    }
    return Float64Array.from(filter)
  })
}
