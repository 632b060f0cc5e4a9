/** Axes of normalizations: the axes that they take statistics over stay whole. */

import { intAttr, intsAttr } from '../../ir/attrs.js'
import { type AxesRule, shapeOf } from '../def.js'
import { axisOf, hold, inAxis, keepLinks, outAxis, rankOf, tie } from './tools.js'

const WHY = 'normalizes over it'

/** X [N, C, …]; scale, shift, mean and variance [C]. In training it has more outputs. */
export const batchNormAxes: AxesRule = {
  links: (call) =>
    call.node.outputs.slice(1).some((name) => name !== '') || rankOf(call.inputs[0]) < 2
      ? []
      : [...keepLinks(call), ...[1, 2, 3, 4].map((input) => tie(inAxis(input, 0), outAxis(0, 1)))],
}

/** X [N, C, …]; scale and shift [C]. */
export const instanceNormAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    if (rank < 2) return []
    const spatial = Array.from({ length: rank - 2 }, (_, i) => i + 2)
    return [
      ...keepLinks(call, spatial),
      ...spatial.map((axis) => hold(inAxis(0, axis), WHY)),
      ...[1, 2].map((input) => tie(inAxis(input, 0), outAxis(0, 1))),
    ]
  },
}

/**
 * Statistics over the axes from `axis` on. All outputs have the axes before it, and so have the inputs that are summed
 * first, which broadcast.
 */
export const layerNormAxes = (...inputs: readonly number[]): AxesRule => ({
  links(call) {
    const first = axisOf(call, intAttr(call.node, 'axis', -1))
    if (first === null) return []
    const rank = rankOf(call.inputs[0])
    const present = [...call.node.outputs.keys()].filter((at) => call.node.outputs[at] !== '')
    return [
      ...present.flatMap((at) =>
        keepLinks(
          call,
          Array.from({ length: rank - first }, (_, i) => first + i),
          at,
        ),
      ),
      ...inputs.flatMap((input) =>
        (shapeOf(call.inputs[input]) ?? []).flatMap((size, axis, shape) => {
          const at = axis + rank - shape.length
          return at >= 0 && at < first && size !== 1 ? [tie(inAxis(input, axis), inAxis(0, at))] : []
        }),
      ),
      ...Array.from({ length: rank - first }, (_, i) => hold(inAxis(0, first + i), WHY)),
    ]
  },
})

/** Groups of channels are normalized together, each over all of its positions. */
export const groupNormAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    if (rank < 2) return []
    const rest = Array.from({ length: rank - 1 }, (_, i) => i + 1)
    return [tie(inAxis(0, 0), outAxis(0, 0)), ...rest.map((axis) => hold(inAxis(0, axis), WHY))]
  },
}

/** Ops that normalize over the axis that an attribute names. */
export const alongAxis = (attr: string, fallback: number): AxesRule => ({
  links(call) {
    const axis = axisOf(call, intAttr(call.node, attr, fallback))
    return axis === null ? [] : [...keepLinks(call, [axis]), hold(inAxis(0, axis), WHY)]
  },
})

/** LRN sums over neighbouring channels. */
export const channelNormAxes: AxesRule = {
  links: (call) => (rankOf(call.inputs[0]) < 2 ? [] : [...keepLinks(call, [1]), hold(inAxis(0, 1), WHY)]),
}

/** MeanVarianceNormalization. */
export const meanVarianceAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    const over = (intsAttr(call.node, 'axes') ?? [0, 2, 3]).map((a) => (a < 0 ? a + rank : a))
    return rank === 0 ? [] : [...keepLinks(call, over), ...over.map((axis) => hold(inAxis(0, axis), WHY))]
  },
}

/** Softmax and its like; before opset 13 over all axes from `axis` on. */
export const softmaxAxes: AxesRule = {
  links(call) {
    const axis = axisOf(call, intAttr(call.node, 'axis', call.opset < 13 ? 1 : -1))
    if (axis === null) return []
    const last = call.opset < 13 ? rankOf(call.inputs[0]) : axis + 1
    const over = Array.from({ length: last - axis }, (_, i) => axis + i)
    return [...keepLinks(call, over), ...over.map((a) => hold(inAxis(0, a), WHY))]
  },
}
