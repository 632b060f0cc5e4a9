/** The gradient of Pad: what was padded is cut off, and goes back to the elements that it was copied from. */

import { int, stringAttr } from '../../ir/attrs.js'
import type { GradCall, GradRule } from '../def.js'
import { elementsOf, normalizeAxis, whereOf } from '../shapes.js'
import { add, list, op, refused, shapeOfInput, sizesOf, staticShape, sumOver } from './tools.js'

export const padGrad: GradRule = (g) => {
  const mode = stringAttr(g.node, 'mode', 'constant')
  if (mode === 'constant') return constantGrad(g)
  const shape = staticShape(g, shapeOfInput(g, 0), 'the input')
  const pads = elementsOf(g, 1)?.map(Number)
  if (pads === undefined) throw refused(g, `mode ${mode} with pads that are computed at run time`)
  const axes = g.node.inputs[3] ? elementsOf(g, 3)?.map(Number) : shape.map((_, axis) => axis)
  if (axes === undefined) throw refused(g, `mode ${mode} with axes that are computed at run time`)
  // Each axis is padded by itself: the way back takes them one by one too.
  const back = (dy: string, at: number, i: number): string => {
    const axis = normalizeAxis(at, shape.length, whereOf(g))
    const padded = { axis, size: shape[axis]!, begin: pads[i]!, end: pads[axes.length + i]! }
    if (padded.begin < 0 || padded.end < 0) throw refused(g, `mode ${mode} that cuts off`)
    return padded.begin + padded.end === 0 ? dy : folded(g, dy, shape.length, padded, mode)
  }
  return [axes.reduce(back, g.dy[0]!)]
}

/** What was cut off gets zeros; the constant gets what the pads got. */
function constantGrad(g: GradCall): readonly (string | null)[] {
  const [, pads, constant, axes] = g.node.inputs as [string, string, string?, string?]
  const dy = g.dy[0]!
  const cut = op(g, 'Pad', [dy, op(g, 'Neg', [pads]), '', ...(axes ? [axes] : [])])
  if (!constant || !g.wants(2)) return [cut]
  const total = (x: string): string => op(g, 'ReduceSum', [x], { keepdims: int(0) })
  const rest = op(g, 'Sub', [total(dy), total(cut)])
  return [cut, null, op(g, 'Reshape', [rest, sizesOf(g, 2)])]
}

interface Padded {
  readonly axis: number
  readonly size: number
  readonly begin: number
  readonly end: number
}

/** The middle of an axis, with its two ends added to the places that they are copies of. */
function folded(g: GradCall, dy: string, rank: number, { axis, size, begin, end }: Padded, mode: string): string {
  const slice = (from: number, to: number): string =>
    op(g, 'Slice', [dy, list(g, [from]), list(g, [to]), list(g, [axis])])
  const turned = (x: string): string =>
    op(g, 'Slice', [x, list(g, [-1]), list(g, [-1e9]), list(g, [axis]), list(g, [-1])])
  const total = (x: string): string => sumOver(g, x, [axis], true)
  /** With zeros before and behind it, so that it is as long as the axis. */
  const placed = (x: string, at: number, length: number): string => {
    const ends = (n: number): number[] => Array.from({ length: rank }, (_, i) => (i === axis ? n : 0))
    return op(g, 'Pad', [x, list(g, [...ends(at), ...ends(size - at - length)])])
  }
  const first = begin === 0 ? null : slice(0, begin)
  const last = end === 0 ? null : slice(begin + size, begin + size + end)
  const middle = slice(begin, begin + size)
  const sums = {
    edge: () => [first && placed(total(first), 0, 1), last && placed(total(last), size - 1, 1)],
    // Element −i is a copy of element i, and n − 1 + i one of n − 1 − i.
    reflect: () => [first && placed(turned(first), 1, begin), last && placed(turned(last), size - 1 - end, end)],
    wrap: () => [first && placed(first, size - begin, begin), last && placed(last, 0, end)],
  }[mode]
  // The engine itself refuses to reflect so far.
  if (sums === undefined || (mode === 'wrap' && Math.max(begin, end) > size))
    throw refused(g, `mode ${mode} by ${begin} and ${end}`)
  return sums().reduce<string>((sum, part) => (part === null ? sum : add(g, sum, part)), middle)
}
