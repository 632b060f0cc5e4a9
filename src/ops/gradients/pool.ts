/** Gradients of pools. */

import { int, intAttr, str } from '../../ir/attrs.js'
import { elementCount, floatTensor } from '../../ir/tensor.js'
import type { GradCall, GradRule } from '../def.js'
import { cropped, endOf, type Slide, slideAttrs, slidesOf } from './conv.js'
import {
  div,
  floatCast,
  gradType,
  list,
  mul,
  number,
  op,
  shapeOfInput,
  shapeOfOutput,
  staticShape,
  sumOver,
} from './tools.js'

const shapesOf = (g: GradCall) => ({
  x: staticShape(g, shapeOfInput(g, 0), 'the input'),
  y: staticShape(g, shapeOfOutput(g), 'the output'),
})

/**
 * To the first of the largest elements of each window. Where windows do not overlap, MaxUnpool puts it there; where
 * they do, what meets at one element is added.
 */
export const maxPoolGrad: GradRule = (g) => {
  if (g.dy[0] === null) return [null]
  const { x, y } = shapesOf(g)
  const slides = slidesOf(g, { from: x, to: y })
  const [, indices] = g.b.ops('MaxPool', [g.node.inputs[0]!], {
    attrs: { ...g.node.attrs, storage_order: int(0) },
    outputs: 2,
  }) as [string, string]
  const isApart = slides.every((s) => s.kernel === s.stride && s.dilation === 1 && s.begin === 0 && endOf(s) <= 0)
  if (isApart && slides.length === 2 && gradType(g) === 'float32') {
    const { kernel_shape, strides } = slideAttrs(slides, 1)
    return [op(g, 'MaxUnpool', [g.dy[0]!, indices, list(g, x)], { kernel_shape: kernel_shape!, strides: strides! })]
  }
  const flat = (v: string): string => op(g, 'Reshape', [v, list(g, [-1])])
  const none = g.b.constant(floatTensor(gradType(g), [1], [0]), 'zero')
  const start = op(g, 'Expand', [none, list(g, [elementCount(x)])])
  const sums = op(g, 'ScatterElements', [start, flat(indices), flat(g.dy[0]!)], { axis: int(0), reduction: str('add') })
  return [op(g, 'Reshape', [sums, list(g, x)])]
}

/** Each element of a window gets an equal share. */
export const averagePoolGrad: GradRule = (g) => {
  const { x, y } = shapesOf(g)
  const slides = slidesOf(g, { from: x, to: y })
  const share = mul(g, g.dy[0]!, sharesOf(g, slides))
  const isApart = slides.every((s) => s.kernel === s.stride && s.dilation === 1 && s.begin === 0 && endOf(s) <= 0)
  if (isApart && gradType(g) === 'float32') {
    const repeated = op(
      g,
      'Resize',
      [share, '', g.b.constant(floatTensor('float32', [x.length], [1, 1, ...slides.map((s) => s.kernel)]))],
      {
        mode: str('nearest'),
        coordinate_transformation_mode: str('asymmetric'),
        nearest_mode: str('floor'),
      },
    )
    return [cropped(g, repeated, slides)]
  }
  const channels = x[1]!
  const kernel = slides.map((s) => s.kernel)
  const ones = g.b.constant(floatTensor(gradType(g), [1], [1]), 'ones')
  const weight = op(g, 'Expand', [ones, list(g, [channels, 1, ...kernel])])
  return [cropped(g, op(g, 'ConvTranspose', [share, weight], slideAttrs(slides, channels)), slides)]
}

/** One over the number of elements that each window counts, [1, 1, …steps]. */
function sharesOf(g: GradCall, slides: readonly Slide[]): string {
  const isPaddingCounted = intAttr(g.node, 'count_include_pad', 0) === 1
  const end = (s: Slide, i: number): number => {
    const pads = g.node.attrs.pads
    const rank = slides.length
    return pads?.type === 'ints' && pads.value.length === 2 * rank
      ? Number(pads.value[rank + i])
      : Math.max(0, endOf(s))
  }
  const counts = slides.map((s, axis) =>
    Array.from({ length: s.steps }, (_, step) => {
      const last = isPaddingCounted ? s.size + s.begin + end(s, axis) : s.begin + s.size
      const first = isPaddingCounted ? 0 : s.begin
      const places = Array.from({ length: s.kernel }, (__, k) => step * s.stride + k * s.dilation)
      return places.filter((at) => at >= first && at < last).length
    }),
  )
  const all = counts.reduce<readonly number[]>((list, axis) => list.flatMap((a) => axis.map((b) => a * b)), [1])
  if (all.every((count) => count === all[0])) return number(g, 1 / all[0]!)
  const shape = [1, 1, ...slides.map((s) => s.steps)]
  return g.b.constant(
    floatTensor(
      gradType(g),
      shape,
      all.map((count) => 1 / count),
    ),
    'shares',
  )
}

const spatial = (x: readonly number[]): readonly number[] => x.slice(2).map((_, i) => i + 2)

export const globalAveragePoolGrad: GradRule = (g) => {
  const { x } = shapesOf(g)
  const share = div(g, g.dy[0]!, number(g, elementCount(x.slice(2))))
  return [op(g, 'Expand', [share, list(g, x)])]
}

export const globalMaxPoolGrad: GradRule = (g) => {
  const { x } = shapesOf(g)
  const isIt = floatCast(g, op(g, 'Equal', [g.node.inputs[0]!, g.node.outputs[0]!]))
  return [mul(g, isIt, div(g, g.dy[0]!, sumOver(g, isIt, spatial(x), true)))]
}
