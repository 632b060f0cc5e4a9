/** Axes of QuantizeLinear and DequantizeLinear: scales and zero points of an axis go with its indices. */

import { intAttr } from '../../ir/attrs.js'
import type { AxesRule } from '../def.js'
import { axisOf, inAxis, keepLinks, outAxis, rankOf, sizeOf, tie } from './tools.js'

/** One grid for all, or one an index of `axis`. Blocks along an axis keep what they are blocks of. */
export const gridAxes: AxesRule = {
  links(call) {
    const axis = axisOf(call, intAttr(call.node, 'axis', 1 - Number(rankOf(call.inputs[0]) < 2)))
    if (axis === null || rankOf(call.inputs[1]) > 1) return []
    const grids = [1, 2].filter((i) => rankOf(call.inputs[i]) === 1 && sizeOf(call, inAxis(i, 0)) !== 1)
    return [...keepLinks(call), ...grids.map((i) => tie(inAxis(i, 0), outAxis(0, axis)))]
  },
}
