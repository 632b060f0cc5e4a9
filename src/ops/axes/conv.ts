/** Axes of convolutions: input channels are summed over, output channels are filters; groups tie theirs together. */

import { int, intAttr } from '../../ir/attrs.js'
import type { AxesRule, AxisLink } from '../def.js'
import { hasInput } from '../shapes.js'
import { inAxis, outAxis, sizeOf, sum, tie } from './tools.js'

/** Each group has one input channel. */
const isDepthwise = (channels: number, group: number): boolean => group > 1 && group === channels

/** X [N, C, …], W [M, C/group, …], B [M] → Y [N, M, …]. */
export const convAxes: AxesRule = {
  links(call) {
    const group = intAttr(call.node, 'group', 1)
    const [channels, filters] = [sizeOf(call, inAxis(0, 1)), sizeOf(call, inAxis(1, 0))]
    if (channels === null || filters === null) return []
    const [input, filter, output] = [inAxis(0, 1), inAxis(1, 0), outAxis(0, 1)]
    const own: AxisLink[] = [tie(inAxis(0, 0), outAxis(0, 0)), tie(filter, output)]
    if (hasInput(call, 2)) own.push(tie(inAxis(2, 0), output))
    const each = filters / group
    if (isDepthwise(channels, group)) return [...own, tie(output, input, (m) => Math.floor(m / each))]
    const inner = channels / group
    own.push(sum(input, inAxis(1, 1), group === 1 ? undefined : (c) => c % inner))
    if (group > 1) own.push(tie(output, output, (m) => m % each))
    return own
  },
  cut(call, kept) {
    const [channels, group] = [sizeOf(call, inAxis(0, 1)), intAttr(call.node, 'group', 1)]
    const left = kept(inAxis(0, 1))
    return left !== null && channels !== null && isDepthwise(channels, group)
      ? { attrs: { group: int(left.length) } }
      : {}
  },
}

/** X [N, C, …], W [C, M/group, …], B [M] → Y [N, M, …]. */
export const convTransposeAxes: AxesRule = {
  links(call) {
    const group = intAttr(call.node, 'group', 1)
    const [channels, each] = [sizeOf(call, inAxis(0, 1)), sizeOf(call, inAxis(1, 1))]
    if (channels === null || each === null) return []
    const [input, filter, output] = [inAxis(0, 1), inAxis(1, 1), outAxis(0, 1)]
    const own: AxisLink[] = [tie(inAxis(0, 0), outAxis(0, 0))]
    if (hasInput(call, 2)) own.push(tie(inAxis(2, 0), output))
    if (isDepthwise(channels, group)) {
      return [...own, tie(input, inAxis(1, 0)), tie(output, input, (m) => Math.floor(m / each))]
    }
    const inner = channels / group
    own.push(
      sum(input, inAxis(1, 0)),
      tie(output, filter, (m) => m % each),
    )
    if (group > 1) own.push(tie(input, input, (c) => c % inner))
    return own
  },
  cut: convAxes.cut!,
}
