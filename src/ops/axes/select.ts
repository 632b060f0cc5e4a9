/** Axes of ops that select: what Slice and Gather take goes with their output, what they leave may go alone. */

import { intAttr } from '../../ir/attrs.js'
import { i64, tensor } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { type AxesCall, type AxesRule, type AxisLink, dtypeOf, type NodePatch, shapeOf } from '../def.js'
import { dimList, hasInput, isStatic, normalizeAxis, whereOf } from '../shapes.js'
import { sliced } from '../slicing.js'
import { axisOf, hold, inAxis, keepLinks, outAxis, rankOf, sizeOf, tie } from './tools.js'

/** Whole numbers of the type of input 1 (all bounds of a Slice have one), those that are out of its range at its ends. */
function whole(call: AxesCall, values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  const isShort = dtypeOf(call.inputs[1]) === 'int32'
  const most = isShort ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER
  const within = values.map((v) => Math.min(Math.max(v, -most), most))
  return isShort ? tensor('int32', shape, Int32Array.from(within)) : i64(shape, within)
}

/** The ranges of a Slice, one an axis. */
function rangesOf(call: AxesCall) {
  const shape = shapeOf(call.inputs[0])
  return shape ? { ...sliced(call, shape), full: shape } : null
}

/** What lies outside of the range may go; what lies inside goes with the output. */
export const sliceAxes: AxesRule = {
  links(call) {
    const slice = rangesOf(call)
    if (slice === null || call.opset < 10) return []
    return slice.full.flatMap((size, axis): readonly AxisLink[] => {
      const range = slice.ranges[axis]
      if (!range) return slice.shape[axis] === size ? [tie(inAxis(0, axis), outAxis(0, axis))] : []
      const isOwn = range.count === size && range.step === 1
      if (isOwn) return [tie(inAxis(0, axis), outAxis(0, axis))]
      const isPatchable = range.step === 1 && [1, 2, 3].every((i) => !hasInput(call, i) || call.constant(i) !== null)
      return isPatchable ? [tie(outAxis(0, axis), inAxis(0, axis), (k) => k + range.first)] : []
    })
  },
  cut(call, kept): NodePatch {
    const slice = rangesOf(call)
    const given = dimList(call, 'axes', 3)
    const [starts, ends] = [dimList(call, 'starts', 1), dimList(call, 'ends', 2)]
    if (slice === null || !isStatic(starts ?? null) || !isStatic(ends ?? null) || given === null) return {}
    const axes = (given ?? starts!.map((_, i) => i)).map((a) =>
      normalizeAxis(Number(a), slice.full.length, whereOf(call)),
    )
    if (axes.every((axis) => kept(inAxis(0, axis)) === null)) return {}
    const bounds = axes.map((axis, i): readonly [number, number] => {
      const left = kept(inAxis(0, axis))
      const range = slice.ranges[axis]
      if (left === null || !range) return [starts![i] as number, ends![i] as number]
      const before = left.filter((k) => k < range.first).length
      return [before, before + left.filter((k) => k >= range.first && k < range.first + range.count).length]
    })
    const list = (side: 0 | 1) =>
      whole(
        call,
        bounds.map((b) => b[side]),
      )
    return {
      inputs: new Map([
        [1, list(0)],
        [2, list(1)],
      ]),
    }
  },
}

/** Gather by constant indices along the axis, or by one that takes the axis away. */
function picksOf(call: AxesCall): { readonly axis: number; readonly picks: readonly number[] } | null {
  const axis = axisOf(call, intAttr(call.node, 'axis', 0))
  const size = axis === null ? null : sizeOf(call, inAxis(0, axis))
  const picks = (call.constant(1)?.shape.length ?? 2) < 2 ? (dimList(call, '', 1) ?? null) : null
  if (axis === null || size === null || !isStatic(picks)) return null
  return { axis, picks: picks.map((k) => (k < 0 ? k + size : k)) }
}

/** Output j lives with the index that it picks. */
export const gatherAxes: AxesRule = {
  links(call) {
    const axis = axisOf(call, intAttr(call.node, 'axis', 0))
    const indices = shapeOf(call.inputs[1])
    if (axis === null || !indices) return []
    const found = picksOf(call)
    const rank = rankOf(call.inputs[0])
    const others = Array.from({ length: rank }, (_, i) => i).flatMap((i): readonly AxisLink[] =>
      i === axis ? [] : [tie(inAxis(0, i), outAxis(0, i < axis ? i : i + indices.length - 1))],
    )
    if (found !== null && indices.length === 0) {
      return [...others, hold(inAxis(0, axis), 'picks from it', found.picks[0])]
    }
    if (found !== null) return [...others, tie(outAxis(0, axis), inAxis(0, axis), (j) => found.picks[j]!)]
    return [...others, ...indices.map((_, i) => tie(inAxis(1, i), outAxis(0, axis + i)))]
  },
  cut(call, kept) {
    const found = picksOf(call)
    const left = found && kept(inAxis(0, found.axis))
    const isOne = call.constant(1)?.shape.length === 0
    const out = found && !isOne ? kept(outAxis(0, found.axis)) : null
    if (!found || (!left && !out)) return {}
    const place = (k: number): number => (left ? left.indexOf(k) : k)
    const picks = (out ?? [...found.picks.keys()]).map((j) => place(found.picks[j]!))
    return { inputs: new Map([[1, whole(call, picks, isOne ? [] : undefined)]]) }
  },
}

/** All but the axes of the matrices. */
export const triluAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    return keepLinks(call, [rank - 2, rank - 1])
  },
}
