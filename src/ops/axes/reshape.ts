/**
 * Axes of reshapes. Elements keep their row-major order, so input and output fall into runs of axes of equal product:
 * one axis against one is the same axis, one against several is split or merged.
 */

import { intAttr, ints } from '../../ir/attrs.js'
import { i64 } from '../../ir/tensor.js'
import type { Dim } from '../../ir/types.js'
import { type AxesCall, type AxesRule, type AxisLink, shapeOf } from '../def.js'
import { dimList, isStatic } from '../shapes.js'
import { free, inAxis, outAxis, tie } from './tools.js'

/** Axes of the input and of the output that hold the same elements in the same order; none of size 1. */
interface Run {
  readonly from: readonly number[]
  readonly to: readonly number[]
}

/** Unsqueeze, Flatten: the shape follows from the input's. */
export const reshapeAxes: AxesRule = { links: (call) => reshapeLinks(call) }

/** Squeeze: where it takes all axes of size 1 they are named, so that an axis that is cut to 1 stays. */
export const squeezeAxes: AxesRule = {
  links: (call) => (takesAll(call) && onesOf(call).length === 0 ? [] : reshapeLinks(call)),
  cut(call, kept) {
    const isOne = [...(shapeOf(call.inputs[0]) ?? []).keys()].some((axis) => kept(inAxis(0, axis))?.length === 1)
    if (!isOne || !takesAll(call)) return {}
    const ones = onesOf(call)
    return call.opset < 13 ? { attrs: { axes: ints(ones) } } : { inputs: new Map([[1, i64([ones.length], ones)]]) }
  },
}

/** Whether it names no axes. Where there are none of size 1 either nothing can be cut: to name none is to take all. */
const takesAll = (call: AxesCall): boolean => dimList(call, 'axes', 1) === undefined

/** The axes of size 1; none where a size is not known. */
function onesOf(call: AxesCall): readonly number[] {
  const shape = shapeOf(call.inputs[0])
  return isStatic(shape) ? [...shape.keys()].filter((axis) => shape[axis] === 1) : []
}

/** Reshape: the new shape becomes a constant, which must be possible; what computed it is not read any more. */
export const targetAxes: AxesRule = {
  links(call) {
    if (intAttr(call.node, 'allowzero', 0) !== 0 || newTarget(call, () => null) === null) return []
    return [...reshapeLinks(call), ...(call.constant(1) === null ? [free(inAxis(1, 0))] : [])]
  },
  cut(call, kept) {
    const axes = [...(shapeOf(call.outputs[0]) ?? []).keys()]
    const isCut = axes.some((axis) => kept(outAxis(0, axis)) !== null)
    if (intAttr(call.node, 'allowzero', 0) !== 0 || (call.constant(1) !== null && !isCut)) return {}
    const target = newTarget(call, (axis) => kept(outAxis(0, axis))?.length ?? null)
    return target === null ? {} : { inputs: new Map([[1, i64([target.length], target)]]) }
  },
}

/**
 * The new shape as a constant: sizes where they are known, 0 where the input's is copied, −1 at most once. Null where
 * that cannot say it, or where the new shape is an attribute (before opset 5).
 */
function newTarget(call: AxesCall, left: (axis: number) => number | null): readonly number[] | null {
  const [input, out, given] = [shapeOf(call.inputs[0]), shapeOf(call.outputs[0]), dimList(call, 'shape', 1)]
  if (!input || !out || call.node.attrs.shape !== undefined) return null
  const target = out.map((size, axis): number => {
    if (given?.[axis] === -1) return -1
    if (typeof size === 'number') return left(axis) ?? size
    const copies = given?.[axis] === 0 || (size !== null && input[axis] === size)
    return copies ? 0 : -1
  })
  return target.filter((size) => size === -1).length <= 1 ? target : null
}

function reshapeLinks(call: AxesCall): readonly AxisLink[] {
  const [input, out] = [shapeOf(call.inputs[0]), shapeOf(call.outputs[0])]
  if (!input || !out) return []
  return runsOf(input, out).flatMap(({ from, to }): readonly AxisLink[] => {
    if (from.length === 1 && to.length === 1) return [tie(inAxis(0, from[0]!), outAxis(0, to[0]!))]
    if (to.length === 1) {
      return [{ kind: 'blocks', flat: outAxis(0, to[0]!), parts: from.map((axis) => inAxis(0, axis)) }]
    }
    if (from.length === 1) {
      return [{ kind: 'blocks', flat: inAxis(0, from[0]!), parts: to.map((axis) => outAxis(0, axis)) }]
    }
    return outerLinks({ from, to }, input, out)
  })
}

/**
 * Several axes against several: the first ones and the last ones are known where one divides the other, for with
 * [A, c] → [A/r, r·c] index k of r·c is index k mod c of c. The axes between keep their sizes.
 */
function outerLinks({ from, to }: Run, input: readonly Dim[], out: readonly Dim[]): readonly AxisLink[] {
  const pair = (i: number, index: (k: number, ratio: number, size: number) => number): readonly AxisLink[] => {
    const [a, b] = [inAxis(0, from.at(i)!), outAxis(0, to.at(i)!)]
    const [n, m] = [input[a.axis], out[b.axis]]
    if (typeof n !== 'number' || typeof m !== 'number') return []
    if (n % m === 0) return [tie(a, b, (k) => index(k, n / m, m))]
    return m % n === 0 ? [tie(b, a, (k) => index(k, m / n, n))] : []
  }
  return [...pair(0, (k, ratio) => Math.floor(k / ratio)), ...pair(-1, (k, _, size) => k % size)]
}

/** What two shapes have in common from the left and from the right, and what lies between taken apart by products. */
function runsOf(input: readonly Dim[], out: readonly Dim[]): readonly Run[] {
  const [from, to] = [input, out].map((shape) => [...shape.keys()].filter((axis) => shape[axis] !== 1)) as [
    number[],
    number[],
  ]
  const isSame = (a: number | undefined, b: number | undefined): boolean =>
    a !== undefined && b !== undefined && input[a] !== null && input[a] === out[b]
  const left: Run[] = []
  while (isSame(from[0], to[0])) left.push({ from: [from.shift()!], to: [to.shift()!] })
  const right: Run[] = []
  while (isSame(from.at(-1), to.at(-1))) right.unshift({ from: [from.pop()!], to: [to.pop()!] })
  return [...left, ...between(from, to, input, out), ...right]
}

/** Runs of equal product; none where a size is not a number. */
function between(
  from: readonly number[],
  to: readonly number[],
  input: readonly Dim[],
  out: readonly Dim[],
): readonly Run[] {
  const sizes = [...from.map((axis) => input[axis]), ...to.map((axis) => out[axis])]
  if (!sizes.every((size) => typeof size === 'number' && size > 0)) return []
  const runs: Run[] = []
  let [i, j] = [0, 0]
  while (i < from.length && j < to.length) {
    const run = { from: [from[i]!], to: [to[j]!] }
    let [a, b] = [input[from[i++]!] as number, out[to[j++]!] as number]
    while (a !== b) {
      if (a < b && i < from.length) {
        a *= input[from[i]!] as number
        run.from.push(from[i++]!)
      } else if (b < a && j < to.length) {
        b *= out[to[j]!] as number
        run.to.push(to[j++]!)
      } else return runs
    }
    runs.push(run)
  }
  return runs
}
