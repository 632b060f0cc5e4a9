/** Axes of matrix products: rows and columns are the result's, what they share is summed over. */

import { intAttr } from '../../ir/attrs.js'
import { type AxesCall, type AxesRule, type AxisLink, shapeOf } from '../def.js'
import { inAxis, outAxis, rankOf, sizeOf, sum, tie } from './tools.js'

/** numpy's matmul: batch axes broadcast, a vector has no axis of its own in the result. */
export const matmulAxes: AxesRule = {
  links(call) {
    const [a, b] = [rankOf(call.inputs[0]), rankOf(call.inputs[1])]
    const out = rankOf(call.outputs[0])
    if (a === 0 || b === 0) return []
    const links: AxisLink[] = [sum(inAxis(0, a - 1), inAxis(1, Math.max(0, b - 2)))]
    if (a > 1) links.push(tie(inAxis(0, a - 2), outAxis(0, out - (b > 1 ? 2 : 1))))
    if (b > 1) links.push(tie(inAxis(1, b - 1), outAxis(0, out - 1)))
    return [...links, ...batchLinks(call, 0, a, b), ...batchLinks(call, 1, b, a)]
  },
}

/** The axes before the matrix of one operand; the result lacks a matrix axis for each operand that is a vector. */
function batchLinks(call: AxesCall, input: number, rank: number, other: number): readonly AxisLink[] {
  const missing = Number(rank < 2) + Number(other < 2)
  const shift = rankOf(call.outputs[0]) + missing - rank
  return Array.from({ length: Math.max(0, rank - 2) }, (_, axis) => axis).flatMap((axis) =>
    shapeOf(call.inputs[input])![axis] === 1 ? [] : [tie(inAxis(input, axis), outAxis(0, axis + shift))],
  )
}

/** op(A) [M, K] · op(B) [K, N] + C, which broadcasts. */
export const gemmAxes: AxesRule = {
  links(call) {
    if (rankOf(call.inputs[0]) !== 2 || rankOf(call.inputs[1]) !== 2) return []
    const [ta, tb] = ['transA', 'transB'].map((name) => Number(intAttr(call.node, name, 0) !== 0)) as [number, number]
    const c = rankOf(call.inputs[2])
    return [
      sum(inAxis(0, 1 - ta), inAxis(1, tb)),
      tie(inAxis(0, ta), outAxis(0, 0)),
      tie(inAxis(1, 1 - tb), outAxis(0, 1)),
      ...Array.from({ length: c }, (_, axis) => axis).flatMap((axis) =>
        sizeOf(call, inAxis(2, axis)) === 1 ? [] : [tie(inAxis(2, axis), outAxis(0, axis + 2 - c))],
      ),
    ]
  },
}
