/**
 * Axes of recurrent layers. Unit h has a row in each gate of W [D, g·H, I] and R [D, g·H, H], its biases, and the column
 * of R that reads it back: row k of every stack of gates belongs to unit k mod H, in both directions.
 */

import { int, intAttr } from '../../ir/attrs.js'
import type { AxesRule } from '../def.js'
import { hasInput } from '../shapes.js'
import { inAxis, outAxis, sizeOf, sum, tie } from './tools.js'

/** X [S, B, I] → Y [S, D, B, H], Y_h and Y_c [D, B, H]; B [D, 2·g·H], initial states [D, B, H], peepholes [D, 3·H]. */
export const rnnAxes: AxesRule = {
  links(call) {
    const hidden = sizeOf(call, inAxis(2, 2))
    if (hidden === null || intAttr(call.node, 'layout', 0) !== 0) return []
    const unit = inAxis(1, 1)
    const within = (k: number): number => k % hidden
    const first = (k: number): number => k
    const present = (at: number): boolean => (call.node.outputs[at] ?? '') !== ''
    return [
      sum(inAxis(0, 2), inAxis(1, 2)),
      tie(unit, unit, within),
      tie(inAxis(2, 1), unit, within),
      sum(unit, inAxis(2, 2), within),
      ...[3, 7].flatMap((input) => (hasInput(call, input) ? [tie(inAxis(input, 1), unit, within)] : [])),
      ...[5, 6].flatMap((input) => (hasInput(call, input) ? [tie(inAxis(input, 2), unit, first)] : [])),
      ...(present(0) ? [tie(outAxis(0, 3), unit, first)] : []),
      ...[1, 2].flatMap((at) => (present(at) ? [tie(outAxis(at, 2), unit, first)] : [])),
    ]
  },
  cut(_, kept) {
    const left = kept(inAxis(2, 2))
    return left === null ? {} : { attrs: { hidden_size: int(left.length) } }
  },
}
