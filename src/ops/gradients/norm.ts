/**
 * Gradients of normalizations. With x̂ = (x − μ)/σ over some axes and n elements there,
 * dx = (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)) / σ (Ioffe and Szegedy 2015, section 3).
 */

import { floatAttr, int, intAttr } from '../../ir/attrs.js'
import type { GradCall, GradRule } from '../def.js'
import { normalizeAxis, whereOf } from '../shapes.js'
import {
  add,
  div,
  exceptChannel,
  list,
  mul,
  neg,
  number,
  op,
  refused,
  shapeOfInput,
  sizesOf,
  staticShape,
  sub,
  sumOver,
  unaryRule,
} from './tools.js'

const meanOver = (g: GradCall, x: string, axes: readonly number[]): string =>
  op(g, 'ReduceMean', [x, list(g, axes)], { keepdims: int(1) })

interface Standardized {
  readonly xHat: string
  /** 1/σ, with axes of length 1. */
  readonly inverse: string
}

/** x̂ and 1/σ over axes; `epsilon` is added to the variance. */
function standardized(g: GradCall, x: string, axes: readonly number[], epsilon: number): Standardized {
  const centred = sub(g, x, meanOver(g, x, axes))
  const variance = meanOver(g, mul(g, centred, centred), axes)
  const inverse = op(g, 'Reciprocal', [op(g, 'Sqrt', [add(g, variance, number(g, epsilon))])])
  return { xHat: mul(g, centred, inverse), inverse }
}

function throughStandardized(
  g: GradCall,
  dxHat: string,
  { xHat, inverse }: Standardized,
  axes: readonly number[],
): string {
  const rest = sub(g, dxHat, meanOver(g, dxHat, axes))
  return mul(g, inverse, sub(g, rest, mul(g, xHat, meanOver(g, mul(g, dxHat, xHat), axes))))
}

/** A value of one number a channel as it broadcasts against [N, C, …]. */
const byChannel = (g: GradCall, x: string, rank: number): string =>
  rank <= 2
    ? x
    : op(g, 'Unsqueeze', [
        x,
        list(
          g,
          Array.from({ length: rank - 2 }, (_, i) => i + 1),
        ),
      ])

/**
 * In inference the statistics are parameters like the others; in training they are the batch's own, and nothing flows
 * back through the running ones that are put out.
 */
export const batchNormGrad: GradRule = (g) => {
  const dy = g.dy[0]
  if (!dy) return [null]
  const rank = shapeOfInput(g, 0).length
  const axes = exceptChannel(rank)
  const epsilon = floatAttr(g.node, 'epsilon', 1e-5)
  const [x, scale, , mean, variance] = g.node.inputs as [string, string, string, string, string]
  const isTraining = intAttr(g.node, 'training_mode', 0) === 1
  const stored = (): Standardized => {
    const inverse = op(g, 'Reciprocal', [op(g, 'Sqrt', [add(g, byChannel(g, variance, rank), number(g, epsilon))])])
    return { xHat: mul(g, sub(g, x, byChannel(g, mean, rank)), inverse), inverse }
  }
  const z = isTraining ? standardized(g, x, axes, epsilon) : stored()
  const dxHat = mul(g, dy, byChannel(g, scale, rank))
  const sums = (v: string): string => sumOver(g, v, axes, false)
  const dScale = g.wants(1) ? sums(mul(g, dy, z.xHat)) : null
  const dBias = g.wants(2) ? sums(dy) : null
  if (isTraining) return [g.wants(0) ? throughStandardized(g, dxHat, z, axes) : null, dScale, dBias]
  const dx = mul(g, dxHat, z.inverse)
  const dVariance = (): string => sums(mul(g, mul(g, dx, z.xHat), mul(g, z.inverse, number(g, -0.5))))
  return [dx, dScale, dBias, g.wants(3) ? neg(g, sums(dx)) : null, g.wants(4) ? dVariance() : null]
}

/** The statistics that an op puts out beside its result have no gradient here. */
function onlyResult(g: GradCall): string {
  if (g.dy.slice(1).some((name) => name !== null)) throw refused(g, 'of its statistics')
  return g.dy[0]!
}

/** The axes before the attribute `axis`, which count rows, and those from it on, which a row consists of. */
function axesAround(g: GradCall) {
  const rank = shapeOfInput(g, 0).length
  const first = normalizeAxis(intAttr(g.node, 'axis', -1), rank, whereOf(g))
  const all = Array.from({ length: rank }, (_, i) => i)
  return { outer: all.slice(0, first), inner: all.slice(first) }
}

/** Over the axes from `axis` on, each row by itself. */
export const layerNormGrad: GradRule = (g) => {
  const dy = onlyResult(g)
  const [x, scale] = g.node.inputs as [string, string]
  const { outer: before, inner: axes } = axesAround(g)
  const z = standardized(g, x, axes, floatAttr(g.node, 'epsilon', 1e-5))
  const outer = (v: string, input: number): string => {
    const summed = sumOver(g, v, before, false)
    return op(g, 'Reshape', [summed, sizesOf(g, input)])
  }
  return [
    g.wants(0) ? throughStandardized(g, mul(g, dy, scale), z, axes) : null,
    g.wants(1) ? outer(mul(g, dy, z.xHat), 1) : null,
    g.wants(2) ? outer(dy, 2) : null,
  ]
}

/** Each channel of each sample by itself. */
export const instanceNormGrad: GradRule = (g) => {
  const [x, scale] = g.node.inputs as [string, string]
  const rank = shapeOfInput(g, 0).length
  const axes = Array.from({ length: rank - 2 }, (_, i) => i + 2)
  const z = standardized(g, x, axes, floatAttr(g.node, 'epsilon', 1e-5))
  return scaled(g, z.xHat, throughStandardized(g, mul(g, g.dy[0]!, byChannel(g, scale, rank)), z, axes))
}

/** Groups of channels of each sample, as rows of one matrix. */
export const groupNormGrad: GradRule = (g) => {
  const shape = staticShape(g, shapeOfInput(g, 0), 'the input')
  const groups = intAttr(g.node, 'num_groups', 1)
  const rows = (v: string): string => op(g, 'Reshape', [v, list(g, [shape[0]!, groups, -1])])
  const back = (v: string): string => op(g, 'Reshape', [v, list(g, shape)])
  const [x, scale] = g.node.inputs as [string, string]
  const z = standardized(g, rows(x), [2], floatAttr(g.node, 'epsilon', 1e-5))
  const dxHat = rows(mul(g, g.dy[0]!, byChannel(g, scale, shape.length)))
  return scaled(g, back(z.xHat), back(throughStandardized(g, dxHat, z, [2])))
}

/** dX, and the gradients of a scale and a bias a channel. */
function scaled(g: GradCall, xHat: string, dx: string): readonly (string | null)[] {
  const axes = exceptChannel(shapeOfInput(g, 0).length)
  const dy = g.dy[0]!
  return [
    dx,
    g.wants(1) ? sumOver(g, mul(g, dy, xHat), axes, false) : null,
    g.wants(2) ? sumOver(g, dy, axes, false) : null,
  ]
}

/** y = x / r with r the root mean square: dx = (dŷ − y mean(dŷ y)) / r (Zhang and Sennrich 2019). */
export const rmsNormGrad: GradRule = (g) => {
  const dy = onlyResult(g)
  const [x, scale] = g.node.inputs as [string, string]
  const { outer: before, inner: axes } = axesAround(g)
  const power = add(g, meanOver(g, mul(g, x, x), axes), number(g, floatAttr(g.node, 'epsilon', 1e-5)))
  const inverse = op(g, 'Reciprocal', [op(g, 'Sqrt', [power])])
  const xHat = mul(g, x, inverse)
  const dxHat = mul(g, dy, scale)
  const dScale = (): string => {
    const summed = sumOver(g, mul(g, dy, xHat), before, false)
    return op(g, 'Reshape', [summed, sizesOf(g, 1)])
  }
  return [
    g.wants(0) ? mul(g, inverse, sub(g, dxHat, mul(g, xHat, meanOver(g, mul(g, dxHat, xHat), axes)))) : null,
    g.wants(1) ? dScale() : null,
  ]
}

/** y = x / ‖x‖ₚ: with p = 2 dx = (dy − y Σ dy y) / ‖x‖, with p = 1 dx = (dy − sign(x) Σ dy y) / ‖x‖. */
export const lpNormalizationGrad = unaryRule((g, { x, y, dy }) => {
  const axis = normalizeAxis(intAttr(g.node, 'axis', -1), shapeOfInput(g, 0).length, whereOf(g))
  const p = intAttr(g.node, 'p', 2)
  const size = op(g, p === 1 ? 'ReduceL1' : 'ReduceL2', [x, list(g, [axis])], { keepdims: int(1) })
  const along = sumOver(g, mul(g, dy, y), [axis], true)
  return div(g, sub(g, dy, mul(g, p === 1 ? op(g, 'Sign', [x]) : y, along)), size)
})
