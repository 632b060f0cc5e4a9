/** Axes of ops that permute, join, split, or move blocks of channels into space and back. */

import { intAttr, intsAttr } from '../../ir/attrs.js'
import { i64 } from '../../ir/tensor.js'
import { type AxesCall, type AxesRule, type AxisLink, type AxisRef, shapeOf } from '../def.js'
import { isStatic, normalizeAxis, whereOf } from '../shapes.js'
import { axisOf, inAxis, keepLinks, outAxis, rankOf, sizeOf, tie } from './tools.js'

export const transposeAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    const perm = intsAttr(call.node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i)
    return rank === 0
      ? []
      : perm.map((from, to) => tie(inAxis(0, normalizeAxis(from, rank, whereOf(call))), outAxis(0, to)))
  },
}

/** Index k of input i is index k + (sizes of those before) of the output. */
export const concatAxes: AxesRule = {
  links(call) {
    const out = shapeOf(call.outputs[0])
    if (!out) return []
    const axis = normalizeAxis(intAttr(call.node, 'axis', 1), out.length, whereOf(call))
    let offset: number | null = 0
    return call.node.inputs.flatMap((_, at): readonly AxisLink[] => {
      if (rankOf(call.inputs[at]) !== out.length) return []
      const start = offset
      const size = sizeOf(call, inAxis(at, axis))
      offset = start === null || size === null ? null : start + size
      return out.flatMap((_size, i): readonly AxisLink[] => {
        if (i !== axis) return [tie(inAxis(at, i), outAxis(0, i))]
        return start === null || size === null ? [] : [tie(inAxis(at, i), outAxis(0, i), (k) => k + start)]
      })
    })
  },
}

/** The pieces of a Split, where each begins; null where sizes are not known. */
function piecesOf(call: AxesCall): { readonly axis: number; readonly starts: readonly number[] } | null {
  const axis = axisOf(call, intAttr(call.node, 'axis', 0))
  const sizes = call.node.outputs.map((_, at) => (axis === null ? null : sizeOf(call, outAxis(at, axis))))
  if (axis === null || !isStatic(sizes)) return null
  return { axis, starts: sizes.map((_, at) => (sizes as number[]).slice(0, at).reduce((a, b) => a + b, 0)) }
}

export const splitAxes: AxesRule = {
  links(call) {
    const pieces = piecesOf(call)
    if (pieces === null || call.opset < 13) return []
    return pieces.starts.flatMap((start, at) => [
      ...keepLinks(call, [pieces.axis], at),
      tie(outAxis(at, pieces.axis), inAxis(0, pieces.axis), (k) => k + start),
    ])
  },
  cut(call, kept) {
    const pieces = piecesOf(call)
    if (pieces === null || kept(inAxis(0, pieces.axis)) === null) return {}
    const sizes = call.node.outputs.map((_, at) => sizeAfter(call, kept, outAxis(at, pieces.axis)))
    return { attrs: { num_outputs: null }, inputs: new Map([[1, i64([sizes.length], sizes)]]) }
  },
}

const sizeAfter = (call: AxesCall, kept: (ref: AxisRef) => readonly number[] | null, ref: AxisRef): number =>
  kept(ref)?.length ?? sizeOf(call, ref)!

/** Channels of blocks: depth [b, b, C] (DCR) or [C, b, b] (CRD) against C. */
export const depthToSpaceAxes: AxesRule = {
  links(call) {
    const block = intAttr(call.node, 'blocksize', 1) ** 2
    const channels = sizeOf(call, outAxis(0, 1))
    if (channels === null) return []
    const mode = call.node.attrs.mode
    const isCrd = mode?.type === 'string' && new TextDecoder().decode(mode.value) === 'CRD'
    const index = (k: number): number => (isCrd ? Math.floor(k / block) : k % channels)
    return [tie(inAxis(0, 0), outAxis(0, 0)), tie(inAxis(0, 1), outAxis(0, 1), index)]
  },
}

/** The output's channels are [b, b, C]. */
export const spaceToDepthAxes: AxesRule = {
  links(call) {
    const channels = sizeOf(call, inAxis(0, 1))
    if (channels === null) return []
    return [tie(inAxis(0, 0), outAxis(0, 0)), tie(outAxis(0, 1), inAxis(0, 1), (k) => k % channels)]
  },
}
