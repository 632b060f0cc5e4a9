/** Axes of Shape: an axis can shrink where nothing reads its size. */

import { intAttr } from '../../ir/attrs.js'
import type { AxesRule } from '../def.js'
import { free, inAxis, outAxis, rankOf, sizeOf } from './tools.js'

export const shapeAxes: AxesRule = {
  links(call) {
    const count = sizeOf(call, outAxis(0, 0))
    const rank = rankOf(call.inputs[0])
    if (count === null || rank === 0) return []
    const given = intAttr(call.node, 'start', 0)
    const start = Math.min(Math.max(given < 0 ? given + rank : given, 0), rank)
    const axes = Array.from({ length: rank }, (_, axis) => axis)
    return [
      free(outAxis(0, 0)),
      ...axes.map((axis) =>
        axis < start || axis >= start + count
          ? free(inAxis(0, axis))
          : ({ kind: 'size', axis: inAxis(0, axis), element: outAxis(0, 0), index: axis - start } as const),
      ),
    ]
  },
}
