/** Axes of ops that change sizes: the ones that they leave alone can shrink. */

import { intsAttr, stringAttr } from '../../ir/attrs.js'
import { f32, i64 } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { type AxesCall, type AxesRule, shapeOf } from '../def.js'
import { axesOf, dimList, hasInput, isStatic, normalizeAxes, whereOf } from '../shapes.js'
import { free, inAxis, keepLinks, outAxis, rankOf, tie } from './tools.js'

const allAxes = (rank: number): readonly number[] => Array.from({ length: rank }, (_, axis) => axis)

/** Pad: the axes whose two pads are 0. */
export const padAxes: AxesRule = {
  links(call) {
    const rank = rankOf(call.inputs[0])
    const pads = dimList(call, 'pads', 1)
    const over = axesOf(call, rank, 3) ?? (hasInput(call, 3) ? null : allAxes(rank))
    if (rank === 0 || !isStatic(pads ?? null) || over === null) return []
    const padded = over.filter((_, i) => pads![i] !== 0 || pads![i + over.length] !== 0)
    return keepLinks(call, padded)
  },
}

/** Tile: the axes that are there once. */
export const tileAxes: AxesRule = {
  links(call) {
    const repeats = dimList(call, 'repeats', 1)
    if (!isStatic(repeats ?? null)) return []
    return keepLinks(
      call,
      allAxes(rankOf(call.inputs[0])).filter((axis) => repeats![axis] !== 1),
    )
  },
}

/** Expand: the axes that are not stretched. A new shape that is a constant says 1 where it said their size. */
export const expandAxes: AxesRule = {
  links(call) {
    const [shape, out] = [shapeOf(call.inputs[0]), shapeOf(call.outputs[0])]
    if (!shape || !out || call.constant(1) === null) return []
    return shape.flatMap((size, axis) => {
      const at = axis + out.length - shape.length
      return size !== 1 && size === out[at] ? [tie(inAxis(0, axis), outAxis(0, at))] : []
    })
  },
  cut(call, kept) {
    const target = dimList(call, '', 1)
    const lead = rankOf(call.outputs[0]) - (target?.length ?? 0)
    if (!isStatic(target ?? null)) return {}
    if (target!.every((_, i) => kept(outAxis(0, i + lead)) === null)) return {}
    const next = (target as readonly number[]).map((size, i) => (kept(outAxis(0, i + lead)) === null ? size : 1))
    return { inputs: new Map([[1, i64([next.length], next)]]) }
  },
}

/** The axes that a Resize leaves as they are: of scale 1, or of a size that is given and the same. */
function keptByResize(call: AxesCall): readonly number[] {
  const [shape, out] = [shapeOf(call.inputs[0]), shapeOf(call.outputs[0])]
  if (!shape || !out || stringAttr(call.node, 'coordinate_transformation_mode') === 'tf_crop_and_resize') return []
  const isGiven = hasSizes(call)
  if (isGiven && newSizes(call, () => null) === null) return []
  const scaled = scaledAxes(call)
  const scales = isGiven ? null : dimList(call, '', call.opset < 11 ? 1 : 2)
  return allAxes(shape.length).filter((axis) => {
    const i = scaled.indexOf(axis)
    return i < 0 || (isGiven ? shape[axis] !== null && shape[axis] === out[axis] : scales?.[i] === 1)
  })
}

const hasSizes = (call: AxesCall): boolean => hasInput(call, 3) && call.opset >= 11

const scaledAxes = (call: AxesCall): readonly number[] => {
  const rank = rankOf(call.inputs[0])
  return normalizeAxes(intsAttr(call.node, 'axes') ?? allAxes(rank), rank, whereOf(call))
}

/**
 * Constants in place of the sizes: smaller ones, or, where a size has no number, scales, if they are whole. Null where
 * neither is possible.
 */
function newSizes(call: AxesCall, left: (axis: number) => number | null): ReadonlyMap<number, Tensor | null> | null {
  const [shape, out] = [shapeOf(call.inputs[0]), shapeOf(call.outputs[0])]
  if (!shape || !out || stringAttr(call.node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch') return null
  const axes = scaledAxes(call)
  const sizes = axes.map((axis) => left(axis) ?? out[axis]!)
  if (isStatic(sizes)) return new Map([[3, i64([sizes.length], sizes)]])
  const scales = axes.map((axis) => (shape[axis] === out[axis] ? 1 : Number(out[axis]) / Number(shape[axis])))
  if (axes.some((axis) => shape[axis] === null) || !scales.every((s) => Number.isInteger(s) && s > 0)) return null
  return new Map([
    [2, f32([scales.length], scales)],
    [3, null],
  ])
}

export const resizeAxes: AxesRule = {
  links(call) {
    const own = keptByResize(call).map((axis) => tie(inAxis(0, axis), outAxis(0, axis)))
    return hasSizes(call) && call.constant(3) === null && own.length > 0 ? [...own, free(inAxis(3, 0))] : own
  },
  cut(call, kept) {
    const isCut = allAxes(rankOf(call.outputs[0])).some((axis) => kept(outAxis(0, axis)) !== null)
    if (!hasSizes(call) || keptByResize(call).length === 0 || (call.constant(3) !== null && !isCut)) return {}
    const inputs = newSizes(call, (axis) => kept(outAxis(0, axis))?.length ?? null)
    return inputs === null ? {} : { inputs }
  },
}
