/** Axes of reductions and searches: the ones that they run along stay whole. */

import { intAttr } from '../../ir/attrs.js'
import type { AxesCall, AxesRule, AxisLink } from '../def.js'
import { axesOf, normalizeAxis, scalarOf, whereOf } from '../shapes.js'
import { axisOf, hold, inAxis, keepLinks, outAxis, rankOf, tie } from './tools.js'

const WHY = 'reduces over it'

/** Axes that are reduced become 1, or are dropped. */
function reducedLinks(call: AxesCall, over: readonly number[], outputs: readonly number[]): readonly AxisLink[] {
  const rank = rankOf(call.inputs[0])
  const keeps = intAttr(call.node, 'keepdims', 1) === 1
  const free = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !over.includes(axis))
  return [
    ...outputs.flatMap((at) => free.map((axis, i) => tie(inAxis(0, axis), outAxis(at, keeps ? axis : i)))),
    ...over.map((axis) => hold(inAxis(0, axis), WHY)),
  ]
}

/** ReduceSum, ReduceMean … */
export const reduceAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    if (rank === 0) return []
    const axes = axesOf(call, rank, 1)
    if (axes === null) return []
    const isNone = axes === undefined || axes.length === 0
    if (isNone && intAttr(call.node, 'noop_with_empty_axes', 0) === 1) {
      return Array.from({ length: rank }, (_, axis) => tie(inAxis(0, axis), outAxis(0, axis)))
    }
    return reducedLinks(call, isNone ? Array.from({ length: rank }, (_, axis) => axis) : axes, [0])
  },
}

/** ArgMax, ArgMin. */
export const argumentAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    return rank === 0
      ? []
      : reducedLinks(call, [normalizeAxis(intAttr(call.node, 'axis', 0), rank, whereOf(call))], [0])
  },
}

/** CumSum: the axis is an input. */
export const cumulativeAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    const axis = scalarOf(call, 1)
    if (rank === 0 || typeof axis !== 'number') return []
    const over = normalizeAxis(axis, rank, whereOf(call))
    return Array.from({ length: rank }, (_, i) =>
      i === over ? hold(inAxis(0, i), 'sums along it') : tie(inAxis(0, i), outAxis(0, i)),
    )
  },
}

/** Values and indices. */
export const topKAxes: AxesRule = {
  links(call) {
    const axis = axisOf(call, intAttr(call.node, 'axis', -1))
    if (axis === null) return []
    return [...[0, 1].flatMap((at) => keepLinks(call, [axis], at)), hold(inAxis(0, axis), 'sorts along it')]
  },
}
