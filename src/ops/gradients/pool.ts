/** Gradients of pools. */

import { int, intAttr, ints, str } from '../../ir/attrs.js'
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

/** Windows lie side by side, and none reaches outside. */
const isApart = (g: GradCall, slides: readonly Slide[]): boolean =>
  slides.every((s) => s.kernel === s.stride && s.dilation === 1 && s.begin === 0 && endOf(s) <= 0) &&
  gradType(g) === 'float32'

/** One value a window, given to all of its elements; 0 where no window is. */
function repeated(g: GradCall, value: string, slides: readonly Slide[]): string {
  const scales = floatTensor('float32', [slides.length + 2], [1, 1, ...slides.map((s) => s.kernel)])
  const whole = op(g, 'Resize', [value, '', g.b.constant(scales)], {
    mode: str('nearest'),
    coordinate_transformation_mode: str('asymmetric'),
    nearest_mode: str('floor'),
  })
  return cropped(g, whole, slides)
}

/**
 * To the largest elements of each window: where windows lie side by side, to all of those in equal shares, which is a
 * subgradient; where they overlap, to the first, and what meets at one element is added. (The engine's MaxPool takes
 * several times longer where it has to say which element it took.)
 */
export const maxPoolGrad: GradRule = (g) => {
  if (g.dy[0] === null) return [null]
  const { x, y } = shapesOf(g)
  const slides = slidesOf(g, { from: x, to: y })
  if (isApart(g, slides)) {
    const isTop = op(g, 'Equal', [g.node.inputs[0]!, repeated(g, g.node.outputs[0]!, slides)])
    const mask = floatCast(g, isTop)
    const kernel = slides.map((s) => s.kernel)
    const share = op(g, 'AveragePool', [mask], { kernel_shape: ints(kernel), strides: ints(kernel) })
    const each = div(g, g.dy[0]!, mul(g, share, number(g, elementCount(kernel))))
    return [mul(g, mask, repeated(g, each, slides))]
  }
  const [, indices] = g.b.ops('MaxPool', [g.node.inputs[0]!], {
    attrs: { ...g.node.attrs, storage_order: int(0) },
    outputs: 2,
  }) as [string, string]
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
  if (isApart(g, slides)) return [repeated(g, share, slides)]
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
