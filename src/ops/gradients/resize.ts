/**
 * The gradient of Resize. Along one axis it is a linear map: y = A x. The engine itself gives A, by resizing the unit
 * vectors, so that every mode and rounding is its own; dx = Aᵀ dy, axis by axis.
 */

import { intsAttr, stringAttr } from '../../ir/attrs.js'
import { floatTensor } from '../../ir/tensor.js'
import type { GradCall, GradRule } from '../def.js'
import { contentOf, normalizeAxes, whereOf } from '../shapes.js'
import { gradType, list, op, refused, shapeOfInput, shapeOfOutput, staticShape } from './tools.js'

export const resizeGrad: GradRule = (g) => {
  const x = staticShape(g, shapeOfInput(g, 0), 'the input')
  const y = staticShape(g, shapeOfOutput(g), 'the output')
  if (stringAttr(g.node, 'coordinate_transformation_mode') === 'tf_crop_and_resize') throw refused(g, 'cropping')
  const changed = x.flatMap((d, axis) => (d === y[axis] && scaleOf(g, axis, x.length) === 1 ? [] : [axis]))
  return [changed.reduce((dy, axis) => along(g, dy, axis, x, y), g.dy[0]!)]
}

/** The scale of an axis where it is given; else that of the sizes. */
function scaleOf(g: GradCall, axis: number, rank: number): number | null {
  const axes = normalizeAxes(intsAttr(g.node, 'axes') ?? Array.from({ length: rank }, (_, i) => i), rank, whereOf(g))
  const at = axes.indexOf(axis)
  if (at < 0) return 1
  const scale = g.node.inputs[2] ? contentOf(g, 2)?.[at] : undefined
  return typeof scale === 'number' ? scale : null
}

/** Aᵀ dy along one axis, which goes from its size in y to that in x. */
function along(g: GradCall, dy: string, axis: number, x: readonly number[], y: readonly number[]): string {
  const [n, m] = [x[axis]!, y[axis]!]
  const transposedMap = op(g, 'Reshape', [unitResponses(g, axis, x.length, n, m), list(g, [n, m])])
  // Axes before this one are as x has them by now, those behind it still as y.
  const before = x.slice(0, axis).reduce((a, b) => a * b, 1)
  const after = y.slice(axis + 1).reduce((a, b) => a * b, 1)
  const columns = op(g, 'Reshape', [dy, list(g, [before, m, after])])
  return op(g, 'Reshape', [
    op(g, 'MatMul', [transposedMap, columns]),
    list(g, [...x.slice(0, axis + 1), ...y.slice(axis + 1)]),
  ])
}

/** Row i: what the i-th unit vector along the axis becomes. The other axes have length 1, but one that counts the rows. */
function unitResponses(g: GradCall, axis: number, rank: number, n: number, m: number): string {
  const rows = axis === 0 ? 1 : 0
  const shape = Array.from({ length: Math.max(rank, 2) }, (_, i) => (i === rows || i === axis ? n : 1))
  const identity = Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0))
  const units = g.b.constant(floatTensor(gradType(g), shape, identity), 'units')
  const { axes: _, keep_aspect_ratio_policy: __, ...attrs } = g.node.attrs
  const scale = scaleOf(g, axis, rank)
  if (scale !== null) {
    const scales = g.b.constant(
      floatTensor(
        'float32',
        [shape.length],
        shape.map((___, i) => (i === axis ? scale : 1)),
      ),
      'scales',
    )
    return op(g, 'Resize', [units, '', scales], attrs)
  }
  return op(
    g,
    'Resize',
    [
      units,
      '',
      '',
      list(
        g,
        shape.map((d, i) => (i === axis ? m : d)),
      ),
    ],
    attrs,
  )
}
