/** Gradients of reductions: what flows back to one result goes to all elements that it was made of. */

import { int, intAttr } from '../../ir/attrs.js'
import type { Dim } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import type { GradCall, GradRule } from '../def.js'
import { axesOf, whereOf } from '../shapes.js'
import { add, div, floatCast, list, mul, number, op, shapeOfInput, sizesOf, sub, sumOver, zeros } from './tools.js'

/** The axes that are summed over; none where each element is a result of its own. */
function reducedAxes(g: GradCall): readonly number[] {
  const rank = shapeOfInput(g, 0).length
  const axes = rank === 0 ? [] : axesOf(g, rank, 1)
  if (axes === null) throw openAxes(g)
  if (axes !== undefined && axes.length > 0) return axes
  if (intAttr(g.node, 'noop_with_empty_axes', 0) === 1) return []
  return Array.from({ length: rank }, (_, i) => i)
}

const openAxes = (g: GradCall): PareError =>
  new PareError('GRADIENT_SHAPE', 'the gradient needs the axes, which are computed at run time', {
    where: whereOf(g),
    remedy: 'Give the axes as a constant.',
  })

/** A reduced value with the reduced axes as axes of length 1, so that it broadcasts against the input. */
function widened(g: GradCall, value: string, axes: readonly number[]): string {
  const isKept = intAttr(g.node, 'keepdims', 1) === 1
  return isKept || axes.length === 0 ? value : op(g, 'Unsqueeze', [value, list(g, axes)])
}

/** A rule from a widened dY to a gradient that broadcasts to the input's shape. */
const reductionRule =
  (rule: (g: GradCall, v: { x: string; y: string; dy: string; axes: readonly number[] }) => string): GradRule =>
  (g) => {
    const axes = reducedAxes(g)
    const dy = g.dy[0]!
    const x = g.node.inputs[0]!
    const dx = rule(g, { x, y: widened(g, g.node.outputs[0]!, axes), dy: widened(g, dy, axes), axes })
    return [axes.length === 0 ? dx : op(g, 'Expand', [dx, sizesOf(g, 0)])]
  }

/** How many elements go into one result, as a float. */
function count(g: GradCall, axes: readonly number[]): string {
  const shape = shapeOfInput(g, 0)
  const sizes = axes.flatMap((axis) => shape[axis] ?? [])
  const isKnown = (d: Dim): d is number => typeof d === 'number'
  if (sizes.length === axes.length && sizes.every(isKnown))
    return number(
      g,
      sizes.reduce((a, b) => a * b, 1),
    )
  const picked = op(g, 'Gather', [sizesOf(g, 0), list(g, axes)])
  return floatCast(g, op(g, 'ReduceProd', [picked], { keepdims: int(0) }))
}

export const reduceSumGrad = reductionRule((_, { dy }) => dy)
export const reduceMeanGrad = reductionRule((g, { dy, axes }) => div(g, dy, count(g, axes)))
/** dx = 2 x dy */
export const reduceSumSquareGrad = reductionRule((g, { x, dy }) => mul(g, mul(g, x, number(g, 2)), dy))
/** To the elements that are the extreme; where several are, each gets its share. */
export const reduceExtremeGrad = reductionRule((g, { x, y, dy, axes }) => {
  const isIt = floatCast(g, op(g, 'Equal', [x, y]))
  return mul(g, isIt, div(g, dy, sumOver(g, isIt, axes, true)))
})
/**
 * dxᵢ = dy Π xⱼ over j ≠ i, zeros or not: with z = [x = 0] it is Π (x + z) / (xᵢ + zᵢ) where no other element is zero,
 * that is where Σ z = zᵢ, and 0 elsewhere.
 */
export const reduceProdGrad = reductionRule((g, { x, dy, axes }) => {
  const zero = floatCast(g, op(g, 'Equal', [x, number(g, 0)]))
  const filled = add(g, x, zero)
  const product = axes.length === 0 ? filled : op(g, 'ReduceProd', [filled, list(g, axes)], { keepdims: int(1) })
  const alone = floatCast(g, op(g, 'Equal', [sumOver(g, zero, axes, true), zero]))
  return mul(g, mul(g, dy, alone), div(g, product, filled))
})
export const reduceL1Grad = reductionRule((g, { x, dy }) => mul(g, dy, op(g, 'Sign', [x])))
/** dx = dy x / y, and 0 at a zero vector, where there is no derivative. */
export const reduceL2Grad = reductionRule((g, { x, y, dy }) => {
  const isZero = op(g, 'Equal', [y, number(g, 0)])
  return mul(g, x, op(g, 'Where', [isZero, number(g, 0), div(g, dy, y)]))
})
/** y = ln Σ x: dx = dy exp(−y) */
export const reduceLogSumGrad = reductionRule((g, { y, dy }) => div(g, dy, op(g, 'Exp', [y])))
/** dx = dy exp(x − y) */
export const reduceLogSumExpGrad = reductionRule((g, { x, y, dy }) => mul(g, dy, op(g, 'Exp', [sub(g, x, y)])))

/** Each element is in all sums from it on: the same sum, taken from the other end. */
export const cumSumGrad: GradRule = (g) => {
  const [, axis] = g.node.inputs as [string, string]
  const isReverse = intAttr(g.node, 'reverse', 0) === 1
  return [op(g, 'CumSum', [g.dy[0]!, axis], { ...g.node.attrs, reverse: int(isReverse ? 0 : 1) })]
}

/** The chosen elements get theirs, at the places where they were. */
export const topKGrad: GradRule = (g) => {
  if (g.dy[0] === null) return [null]
  const axis = intAttr(g.node, 'axis', -1)
  return [op(g, 'ScatterElements', [zeros(g, 0), g.node.outputs[1]!, g.dy[0]!], { axis: int(axis) })]
}
