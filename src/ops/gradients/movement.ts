/** Gradients of ops that move elements: what flows back goes the way back. */

import { int, intAttr, ints, intsAttr, stringAttr } from '../../ir/attrs.js'
import type { GradCall, GradRule } from '../def.js'
import { contentOf, elementsOf, normalizeAxis, whereOf } from '../shapes.js'
import { type Range, sliced } from '../slicing.js'
import {
  list,
  mul,
  op,
  refused,
  shapeOfInput,
  shapeOfOutput,
  sizesOf,
  staticShape,
  sumOver,
  unaryRule,
  unbroadcast,
  zeros,
} from './tools.js'

export const passGrad = unaryRule((_, { dy }) => dy)

/** Elements in order, under another shape. */
export const reshapeGrad: GradRule = (g) => [op(g, 'Reshape', [g.dy[0]!, sizesOf(g, 0)])]

/** Between float types. */
export const castGrad: GradRule = (g) => [op(g, 'CastLike', [g.dy[0]!, g.node.inputs[0]!])]

export const dropoutGrad: GradRule = (g) => {
  const mode = g.node.inputs[2]
  if (mode && elementsOf(g, 2)?.[0] !== 0) throw refused(g, 'dropping elements')
  return [g.dy[0]!]
}

export const transposeGrad: GradRule = (g) => {
  const rank = shapeOfInput(g, 0).length
  const perm = intsAttr(g.node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i)
  return [op(g, 'Transpose', [g.dy[0]!], { perm: ints(perm.map((_, i) => perm.indexOf(i))) })]
}

export const expandGrad: GradRule = (g) => [unbroadcast(g, g.dy[0]!, 0, shapeOfOutput(g))]

/** Copies lie one after the other: an axis of r·d is one of r and one of d. */
export const tileGrad: GradRule = (g) => {
  const shape = staticShape(g, shapeOfInput(g, 0), 'the input')
  const out = staticShape(g, shapeOfOutput(g), 'the output')
  const split = shape.flatMap((d, i) => [d === 0 ? 0 : out[i]! / d, d])
  const copies = op(g, 'Reshape', [g.dy[0]!, list(g, split)], { allowzero: int(1) })
  const over = shape.map((_, i) => 2 * i)
  return [sumOver(g, copies, over, false)]
}

export const concatGrad: GradRule = (g) => {
  const axis = normalizeAxis(intAttr(g.node, 'axis', 0), shapeOfOutput(g).length, whereOf(g))
  const sizes = g.node.inputs.map((_, i) => shapeOfInput(g, i)[axis] ?? null)
  const pieces = staticShape(g, sizes, 'the joined axis')
  if (pieces.length === 1) return [g.dy[0]!]
  return g.b.ops('Split', [g.dy[0]!, list(g, pieces)], { attrs: { axis: int(axis) }, outputs: pieces.length })
}

export const splitGrad: GradRule = (g) => {
  const axis = normalizeAxis(intAttr(g.node, 'axis', 0), shapeOfInput(g, 0).length, whereOf(g))
  const pieces = g.dy.map((dy, i) => dy ?? op(g, 'Mul', [g.node.outputs[i]!, zero(g)]))
  return [op(g, 'Concat', pieces, { axis: int(axis) })]
}
const zero = (g: GradCall): string => op(g, 'CastLike', [list(g, [0]), g.node.inputs[0]!])

/** Zeros around what was cut out, and between what was stepped over. */
export const sliceGrad: GradRule = (g) => {
  const shape = staticShape(g, shapeOfInput(g, 0), 'the input')
  const { ranges } = sliced(g, shape)
  const known = ranges.map((r) => {
    if (r === null) throw refused(g, 'bounds that are computed at run time')
    return r
  })
  const spread = known.reduce((dy, range, axis) => apart(g, dy, known, axis, range), g.dy[0]!)
  const first = known.map(({ first: f, step, count }) => (step < 0 && count > 0 ? f + step * (count - 1) : f))
  const length = known.map(({ step, count }) => (count === 0 ? 0 : Math.abs(step) * (count - 1) + 1))
  const after = shape.map((d, i) => d - first[i]! - length[i]!)
  if (first.every((p) => p === 0) && after.every((p) => p === 0)) return [spread]
  return [op(g, 'Pad', [spread, list(g, [...first, ...after])])]
}

/** One axis turned round where its step is negative, and its elements |step| apart. */
function apart(g: GradCall, dy: string, ranges: readonly Range[], axis: number, { step, count }: Range): string {
  const at = list(g, [axis])
  const turned = step < 0 ? op(g, 'Slice', [dy, list(g, [-1]), list(g, [-1e9]), at, list(g, [-1])]) : dy
  const gap = Math.abs(step)
  if (gap === 1 || count < 2) return turned
  const cell = op(g, 'Unsqueeze', [turned, list(g, [axis + 1])])
  const rank = ranges.length + 1
  const ends = Array.from({ length: rank }, (_, i) => (i === axis + 1 ? gap - 1 : 0))
  const padded = op(g, 'Pad', [cell, list(g, [...ends.map(() => 0), ...ends])])
  const lengths = ranges.map((r, i) => (i < axis ? spreadLength(r) : i === axis ? r.count * gap : r.count))
  const joined = op(g, 'Reshape', [padded, list(g, lengths)])
  return op(g, 'Slice', [joined, list(g, [0]), list(g, [(count - 1) * gap + 1]), at])
}
const spreadLength = ({ step, count }: Range): number => (count < 2 ? count : (count - 1) * Math.abs(step) + 1)

/**
 * Rows of a table go back to their places, those that were taken several times added up. ScatterElements adds rightly
 * on several threads, where ScatterND loses updates.
 */
export const gatherGrad: GradRule = (g) => {
  const shape = staticShape(g, shapeOfInput(g, 0), 'the data')
  const indices = staticShape(g, shapeOfInput(g, 1), 'the indices')
  const axis = normalizeAxis(intAttr(g.node, 'axis', 0), shape.length, whereOf(g))
  const [before, after] = [product(shape.slice(0, axis)), product(shape.slice(axis + 1))]
  const picked = contentOf(g, 1)
  if (picked?.length === 1 && typeof picked[0] === 'number') return [oneRow(g, shape, axis, picked[0])]
  const count = product(indices)
  const updates = op(g, 'Reshape', [g.dy[0]!, list(g, [before, count, after])])
  return [scattered(g, shape, g.node.inputs[1]!, updates, { before, rows: shape[axis]!, count, after })]
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)

/** One place of an axis: zeros before and behind it. */
function oneRow(g: GradCall, shape: readonly number[], axis: number, index: number): string {
  const at = index < 0 ? index + shape[axis]! : index
  const row = op(g, 'Reshape', [g.dy[0]!, list(g, shape.with(axis, 1))])
  const begin = shape.map((_, i) => (i === axis ? at : 0))
  const end = shape.map((d, i) => (i === axis ? d - 1 - at : 0))
  return op(g, 'Pad', [row, list(g, [...begin, ...end])])
}

interface Rows {
  readonly before: number
  readonly rows: number
  readonly count: number
  readonly after: number
}

/** `updates` [before, count, after] added into zeros [before, rows, after] at row indices, in the shape of the data. */
function scattered(
  g: GradCall,
  shape: readonly number[],
  indices: string,
  updates: string,
  { before, rows, count, after }: Rows,
): string {
  const at = op(g, 'Expand', [op(g, 'Reshape', [indices, list(g, [1, count, 1])]), list(g, [before, count, after])])
  const none = op(g, 'Expand', [zero(g), list(g, [before, rows, after])])
  const sums = op(g, 'ScatterElements', [none, at, updates], { axis: int(1), reduction: stringOf('add') })
  return op(g, 'Reshape', [sums, list(g, shape)])
}
const stringOf = (text: string) => ({ type: 'string', value: new TextEncoder().encode(text) }) as const

export const gatherElementsGrad: GradRule = (g) => {
  const axis = int(intAttr(g.node, 'axis', 0))
  return [op(g, 'ScatterElements', [zeros(g, 0), g.node.inputs[1]!, g.dy[0]!], { axis, reduction: stringOf('add') })]
}

/** Tuples of indices as one index into the axes that they name, laid out as one. */
export const gatherNDGrad: GradRule = (g) => {
  if (intAttr(g.node, 'batch_dims', 0) !== 0) throw refused(g, 'batch_dims')
  const shape = staticShape(g, shapeOfInput(g, 0), 'the data')
  const indices = staticShape(g, shapeOfInput(g, 1), 'the indices')
  const depth = indices.at(-1)!
  const sizes = shape.slice(0, depth)
  const strides = sizes.map((_, i) => product(sizes.slice(i + 1)))
  const positive = op(g, 'Mod', [g.node.inputs[1]!, list(g, sizes)])
  const flat = op(g, 'ReduceSum', [mul(g, positive, list(g, strides)), list(g, [indices.length - 1])], {
    keepdims: int(0),
  })
  const [count, after] = [product(indices.slice(0, -1)), product(shape.slice(depth))]
  const updates = op(g, 'Reshape', [g.dy[0]!, list(g, [1, count, after])])
  return [scattered(g, shape, flat, updates, { before: 1, rows: product(sizes), count, after })]
}

/** Written elements come from the updates, the others from the data; with `add`, all from both. */
const scatterGrad =
  (read: string): GradRule =>
  (g) => {
    const reduction = stringAttr(g.node, 'reduction', 'none')
    if (reduction !== 'none' && reduction !== 'add') throw refused(g, `reduction ${reduction}`)
    const [, indices, updates] = g.node.inputs as [string, string, string]
    const dy = g.dy[0]!
    const axis = g.node.attrs.axis
    const none = () => mul(g, updates, zero(g))
    const erased = () => op(g, g.node.op, [dy, indices, none()], axis ? { axis } : {})
    return [
      g.wants(0) ? (reduction === 'add' ? dy : erased()) : null,
      null,
      g.wants(2) ? op(g, read, [dy, indices], axis ? { axis } : {}) : null,
    ]
  }
export const scatterElementsGrad = scatterGrad('GatherElements')
export const scatterNDGrad = scatterGrad('GatherND')

/** What turns or cuts does so to what flows back: ReverseSequence, Trilu. */
export const sameOpGrad: GradRule = (g) => [op(g, g.node.op, [g.dy[0]!, ...g.node.inputs.slice(1)], g.node.attrs)]

export const depthToSpaceGrad: GradRule = (g) => {
  const block = intAttr(g.node, 'blocksize', 1)
  if (stringAttr(g.node, 'mode', 'DCR') === 'DCR') return [op(g, 'SpaceToDepth', [g.dy[0]!], { blocksize: int(block) })]
  const [n, c, h, w] = staticShape(g, shapeOfInput(g, 0), 'the input') as readonly [number, number, number, number]
  const apartAxes = op(g, 'Reshape', [g.dy[0]!, list(g, [n, c / block ** 2, h, block, w, block])])
  const together = op(g, 'Transpose', [apartAxes], { perm: ints([0, 1, 3, 5, 2, 4]) })
  return [op(g, 'Reshape', [together, list(g, [n, c, h, w])])]
}
export const spaceToDepthGrad: GradRule = (g) => [
  op(g, 'DepthToSpace', [g.dy[0]!], { blocksize: int(intAttr(g.node, 'blocksize', 1)) }),
]
