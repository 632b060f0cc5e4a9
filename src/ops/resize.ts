/** Resize and its forerunner Upsample: sizes from scales, or given. */

import { floatsAttr, intsAttr, stringAttr } from '../ir/attrs.js'
import type { Dim, Node } from '../ir/types.js'
import { resizeAxes } from './axes/resize.js'
import { type Call, dtypeOf, type OpDef, shapeOf } from './def.js'
import { resizeGrad } from './gradients/resize.js'
import { def, fact } from './make.js'
import { contentOf, hasInput, isStatic, malformed, normalizeAxes, unknownDims, whereOf } from './shapes.js'

/** ⌊scale · size⌋ in float32, in which the engine multiplies. */
function scaledDim(size: Dim, scale: Dim | undefined): Dim {
  if (scale === 1) return size
  return typeof size === 'number' && typeof scale === 'number' ? Math.floor(Math.fround(size * scale)) : null
}

/** Elements of an input that may be left out or be of length 0; undefined where it is, null where unknown. */
function given(call: Call, input: number): readonly Dim[] | null | undefined {
  if (!hasInput(call, input)) return undefined
  const shape = shapeOf(call.inputs[input]) ?? call.constant(input)?.shape ?? null
  if (shape?.length === 1 && shape[0] === 0) return undefined
  return contentOf(call, input)
}

/** Sizes that keep the aspect ratio: one scale for all axes, the smallest or largest of size / dim, rounded half up. */
function fitted(dims: readonly Dim[], sizes: readonly Dim[], policy: string): readonly Dim[] {
  if (policy === 'stretch') return sizes
  if (!isStatic(dims) || !isStatic(sizes)) return unknownDims(dims.length)
  const scales = sizes.map((s, i) => Math.fround(s / dims[i]!))
  const scale = policy === 'not_larger' ? Math.min(...scales) : Math.max(...scales)
  return dims.map((d) => Math.floor(Math.fround(scale * d) + 0.5))
}

/** Inputs: X, scales at opset 10; X, roi, scales, sizes since. */
function resized(call: Call, shape: readonly Dim[]): readonly Dim[] {
  const { node, opset } = call
  const where = whereOf(call)
  const axes = normalizeAxes(intsAttr(node, 'axes') ?? [...shape.keys()], shape.length, where)
  const [scales, sizes] = opset < 11 ? [given(call, 1), undefined] : [given(call, 2), given(call, 3)]
  for (const list of [scales, sizes]) {
    if (list && list.length !== axes.length) throw malformed(where, 'there must be one scale or size an axis', list)
  }
  const dims = axes.map((a) => shape[a]!)
  const cropped = stringAttr(node, 'coordinate_transformation_mode') === 'tf_crop_and_resize'
  const made = sizes
    ? fitted(dims, sizes, stringAttr(node, 'keep_aspect_ratio_policy', 'stretch'))
    : scales && sizes === undefined && !cropped
      ? dims.map((d, i) => scaledDim(d, scales[i]))
      : unknownDims(axes.length)
  return shape.map((d, i) => (axes.includes(i) ? made[axes.indexOf(i)]! : d))
}

const isNearest = (node: Node): boolean => stringAttr(node, 'mode', 'nearest') === 'nearest'

const resize = def('Resize', 10, {
  inputs: ['X', 'roi?', 'scales?', 'sizes?'],
  outputs: ['Y'],
  attrs: {
    antialias: 'int',
    axes: 'ints',
    coordinate_transformation_mode: 'string',
    cubic_coeff_a: 'float',
    exclude_outside: 'int',
    extrapolation_value: 'float',
    keep_aspect_ratio_policy: 'string',
    mode: 'string',
    nearest_mode: 'string',
  },
  quant: { kind: 'map', inputs: [0], moves: isNearest },
  grad: resizeGrad,
  axes: resizeAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    return [fact(dtypeOf(call.inputs[0]), shape && resized(call, shape))]
  },
})

/** Scales are an attribute up to opset 8; Resize replaces the op at opset 10. */
const upsample = def('Upsample', 7, {
  inputs: ['X', 'scales?'],
  outputs: ['Y'],
  attrs: { mode: 'string', scales: 'floats' },
  quant: { kind: 'map', inputs: [0], moves: isNearest },
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const scales = floatsAttr(call.node, 'scales') ?? contentOf(call, 1)
    return [fact(dtypeOf(call.inputs[0]), shape?.map((d, i) => scaledDim(d, scales?.[i])) ?? null)]
  },
})

export const resizing: readonly OpDef[] = [resize, upsample]
