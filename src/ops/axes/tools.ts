/** What axes rules are made of: references to axes, links between axes of one place, rules that many ops share. */

import type { Dim } from '../../ir/types.js'
import { type AxesCall, type AxesRule, type AxisLink, type AxisRef, type Fact, shapeOf } from '../def.js'
import { normalizeAxis, whereOf } from '../shapes.js'

/** Axis `axis` of input `at`. */
export const inAxis = (at: number, axis: number): AxisRef => ({ of: 'input', at, axis })

/** Axis `axis` of output `at`. */
export const outAxis = (at: number, axis: number): AxisRef => ({ of: 'output', at, axis })

export const tie = (a: AxisRef, b: AxisRef, index?: (k: number) => number | null): AxisLink => ({
  kind: 'tie',
  a,
  b,
  ...(index && { index }),
})

export const sum = (a: AxisRef, b: AxisRef, index?: (k: number) => number | null): AxisLink => ({
  kind: 'sum',
  a,
  b,
  ...(index && { index }),
})

export const hold = (axis: AxisRef, why: string, only?: number): AxisLink => ({
  kind: 'hold',
  axis,
  why,
  ...(only !== undefined && { only }),
})

/** An axis whose indices need nothing of each other: what a cut replaces. */
export const free = (axis: AxisRef): AxisLink => tie(axis, axis)

/** The shape that a reference's axis is part of. */
const shapeAt = (call: AxesCall, ref: Pick<AxisRef, 'of' | 'at'>): readonly Dim[] | null =>
  shapeOf((ref.of === 'input' ? call.inputs : call.outputs)[ref.at])

/** The size of an axis where it is a number. */
export function sizeOf(call: AxesCall, ref: AxisRef): number | null {
  const size = shapeAt(call, ref)?.[ref.axis]
  return typeof size === 'number' ? size : null
}

export const rankOf = (fact: Fact | null | undefined): number => shapeOf(fact)?.length ?? 0

/** The attribute `axis` (or another) of an op whose input 0 has that axis; null where its rank is not known. */
export function axisOf(call: AxesCall, axis: number): number | null {
  const rank = shapeOf(call.inputs[0])?.length
  return rank === undefined ? null : normalizeAxis(axis, rank, whereOf(call))
}

/** An input that broadcasts against output 0: axes from the right, those of size 1 bound to nothing. */
function broadcastLinks(call: AxesCall, input: number): readonly AxisLink[] {
  const [shape, out] = [shapeOf(call.inputs[input]), shapeOf(call.outputs[0])]
  if (!shape || !out) return []
  return shape.flatMap((size, axis) => {
    const at = axis + out.length - shape.length
    return at >= 0 && size !== 1 ? [tie(inAxis(input, axis), outAxis(0, at))] : []
  })
}

/** Ops that map elements of inputs that broadcast; all inputs unless told. */
export const broadcastAxes = (...inputs: readonly number[]): AxesRule => ({
  links: (call) =>
    (inputs.length > 0 ? inputs : [...call.node.inputs.keys()]).flatMap((input) => broadcastLinks(call, input)),
})

/** Axes of input 0 that are those of an output too, but for some. */
export function keepLinks(call: AxesCall, except: readonly number[] = [], output = 0): readonly AxisLink[] {
  const rank = rankOf(call.inputs[0])
  return Array.from({ length: rank }, (_, axis) => axis).flatMap((axis) =>
    except.includes(axis) ? [] : [tie(inAxis(0, axis), outAxis(output, axis))],
  )
}

/** Ops of one input that map its elements each for itself. */
export const eachAxis: AxesRule = { links: (call) => keepLinks(call) }

/** Ops that keep batch and channels and work along the spatial axes: X and Y are [N, C, …]. */
export const channelAxes: AxesRule = {
  links: (call) => (rankOf(call.inputs[0]) < 2 ? [] : [0, 1].map((axis) => tie(inAxis(0, axis), outAxis(0, axis)))),
}

/** X [N, C, …], grid [N, …, 2 or 3]. */
export const gridSampleAxes: AxesRule = {
  links: (call) => [...channelAxes.links(call), tie(inAxis(1, 0), outAxis(0, 0))],
}

/** The indices of a MaxPool count through all channels. */
export const maxPoolAxes: AxesRule = {
  links: (call) => ((call.node.outputs[1] ?? '') === '' ? channelAxes.links(call) : []),
}

/** Output and mask. */
export const dropoutAxes: AxesRule = {
  links: (call) => [...keepLinks(call), ...((call.node.outputs[1] ?? '') === '' ? [] : keepLinks(call, [], 1))],
}
