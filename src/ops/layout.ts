/** Ops that permute, repeat, join, cut or pad along axes. */

import { intAttr, intsAttr, stringAttr } from '../ir/attrs.js'
import { elementCount } from '../ir/tensor.js'
import type { Dim } from '../ir/types.js'
import { concatAxes, depthToSpaceAxes, spaceToDepthAxes, splitAxes, transposeAxes } from './axes/layout.js'
import { expandAxes, padAxes, tileAxes } from './axes/resize.js'
import { type Call, dtypeOf, type GradRule, type OpDef, shapeOf } from './def.js'
import {
  concatGrad,
  depthToSpaceGrad,
  expandGrad,
  spaceToDepthGrad,
  splitGrad,
  tileGrad,
  transposeGrad,
} from './gradients/movement.js'
import { padGrad } from './gradients/pad.js'
import { commonDType, def, fact, map, move } from './make.js'
import {
  addDim,
  axesOf,
  broadcast,
  dimList,
  divDim,
  elementsOf,
  isStatic,
  MAX_CONTENT,
  malformed,
  mulDim,
  normalizeAxes,
  normalizeAxis,
  unify,
  unknownDims,
  whereOf,
} from './shapes.js'

/** Row-major strides of a static shape. */
function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1)
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!
  return strides
}

/** Content of an output whose element at `index` is the input's at offset Σ index[i] · strides[i]. */
function strided(content: readonly Dim[], out: readonly number[], strides: readonly number[]): readonly Dim[] {
  let offsets = [0]
  out.forEach((size, axis) => {
    offsets = offsets.flatMap((o) => Array.from({ length: size }, (_, k) => o + k * strides[axis]!))
  })
  return offsets.map((o) => content[o]!)
}

const transpose = def('Transpose', 1, {
  inputs: ['data'],
  outputs: ['transposed'],
  attrs: { perm: 'ints' },
  quant: move(0),
  grad: transposeGrad,
  axes: transposeAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    const given = intsAttr(call.node, 'perm')
    if (shape === null) return [fact(dtype, given ? unknownDims(given.length) : null)]
    const perm = given ?? [...shape.keys()].reverse()
    const axes = normalizeAxes(perm, shape.length, whereOf(call))
    if (axes.length !== shape.length) throw malformed(whereOf(call), 'perm must name every axis', perm)
    const out = axes.map((a) => shape[a]!)
    const content = elementsOf(call, 0)
    if (content === null || !isStatic(shape)) return [fact(dtype, out)]
    const strides = stridesOf(shape)
    const permuted = axes.map((a) => strides[a]!)
    return [fact(dtype, out, strided(content, out as number[], permuted))]
  },
})

const expand = def('Expand', 8, {
  inputs: ['input', 'shape'],
  outputs: ['output'],
  quant: move(0),
  grad: expandGrad,
  axes: expandAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    const target = dimList(call, 'shape', 1) ?? null
    const out = broadcast([shape, target], whereOf(call))
    const content = elementsOf(call, 0)
    if (content === null || !isStatic(shape) || !isStatic(out) || elementCount(out) > MAX_CONTENT) {
      return [fact(dtype, out)]
    }
    const lead = out.length - shape.length
    const strides = stridesOf(shape)
    const repeated = out.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : strides[i - lead]!))
    return [fact(dtype, out, strided(content, out, repeated))]
  },
})

const tile = def('Tile', 6, {
  inputs: ['input', 'repeats'],
  outputs: ['output'],
  quant: move(0),
  grad: tileGrad,
  axes: tileAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    if (shape === null) return [fact(dtype, null)]
    const repeats = dimList(call, 'repeats', 1) ?? unknownDims(shape.length)
    if (repeats.length !== shape.length)
      throw malformed(whereOf(call), 'repeats must have one element an axis', repeats)
    const out = shape.map((d, i) => mulDim(d, repeats[i]!))
    const content = elementsOf(call, 0)
    const small = content !== null && shape.length <= 1 && isStatic(out) && elementCount(out) <= MAX_CONTENT
    const count = small ? elementCount(out) : 0
    return [fact(dtype, out, small ? Array.from({ length: count }, (_, i) => content[i % content.length]!) : null)]
  },
})

/** Engines let empty tensors of any shape take part, so only the others must agree. */
const concat = def('Concat', 1, {
  inputs: ['inputs*'],
  outputs: ['concat_result'],
  attrs: { axis: 'int' },
  quant: move(0),
  grad: concatGrad,
  axes: concatAxes,
  infer: (call) => {
    const all = call.node.inputs.map((_, i) => i)
    const dtype = commonDType(call, all)
    const where = whereOf(call)
    const shapes = all.map((i) => shapeOf(call.inputs[i]))
    const known = shapes.filter((s) => s !== null)
    const full = known.some((s) => !s.includes(0)) ? known.filter((s) => !s.includes(0)) : known
    const first = full[0]
    if (first === undefined) return [fact(dtype, null)]
    if (full.some((s) => s.length !== first.length)) throw malformed(where, 'the inputs differ in rank')
    if (known.some((s) => s.length !== first.length)) return [fact(dtype, null)]
    const axis = normalizeAxis(intAttr(call.node, 'axis', 1), first.length, where)
    const out = first.map((_, i): Dim => {
      if (i !== axis) return full.map((s): Dim => s[i]!).reduce((a, b) => unify(a, b, where))
      return known.length < shapes.length ? null : known.map((s): Dim => s[i]!).reduce(addDim)
    })
    return [fact(dtype, out, axis === 0 ? joinedContent(call, known.length === shapes.length ? known : null) : null)]
  },
})

/** Along the first axis content follows content; an input of known size without content gives unknown elements. */
function joinedContent(call: Call, shapes: readonly (readonly Dim[])[] | null): readonly Dim[] | null {
  if (shapes === null || !shapes.every(isStatic)) return null
  if (shapes.reduce((n, s) => n + elementCount(s as readonly number[]), 0) > MAX_CONTENT) return null
  return shapes.flatMap((s, i) => elementsOf(call, i) ?? unknownDims(elementCount(s as readonly number[])))
}

/** Sizes of the pieces: given (an attribute up to opset 12, an input since), or equal, the last one perhaps smaller. */
function pieces(call: Call, size: Dim): readonly Dim[] {
  const n = call.node.outputs.length
  const given = dimList(call, 'split', 1)
  if (given !== undefined) {
    if (given !== null && given.length !== n) {
      throw malformed(whereOf(call), `the sizes of the pieces must be as many as the ${n} outputs`, given)
    }
    return given ?? unknownDims(n)
  }
  if (typeof size !== 'number') return n === 1 ? [size] : unknownDims(n)
  if (call.opset < 18) return Array.from({ length: n }, () => divDim(size, n, whereOf(call)))
  const each = Math.ceil(size / n)
  return Array.from({ length: n }, (_, i) => Math.max(0, Math.min(each, size - i * each)))
}

const split = def('Split', 1, {
  inputs: ['input', 'split?'],
  outputs: ['outputs*'],
  attrs: { axis: 'int', split: 'ints', num_outputs: 'int' },
  quant: move(0),
  grad: splitGrad,
  axes: splitAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    if (shape === null) return call.node.outputs.map(() => fact(dtype, null))
    const axis = normalizeAxis(intAttr(call.node, 'axis', 0), shape.length, whereOf(call))
    const sizes = pieces(call, shape[axis]!)
    const content = shape.length === 1 && isStatic(sizes) ? elementsOf(call, 0) : null
    let at = 0
    return sizes.map((size) => {
      const piece = content?.slice(at, at + (size as number)) ?? null
      if (typeof size === 'number') at += size
      return fact(dtype, shape.with(axis, size), piece)
    })
  },
})

/** Pads are an attribute up to opset 10. All of them begin, then all of them end; negative ones cut. */
function padded(call: Call, shape: readonly Dim[]): readonly Dim[] {
  const where = whereOf(call)
  const axes = axesOf(call, shape.length, 3)
  const pads = dimList(call, 'pads', 1)
  if (axes === null || pads === undefined || pads === null) return unknownDims(shape.length)
  const over = axes ?? [...shape.keys()]
  if (pads.length !== 2 * over.length) throw malformed(where, 'there must be two pads an axis', pads)
  const out = [...shape]
  over.forEach((axis, i) => {
    out[axis] = addDim(addDim(shape[axis]!, pads[i]!), pads[i + over.length]!)
  })
  return out
}

const pad = def('Pad', 1, {
  inputs: ['data', 'pads', 'constant_value?', 'axes?'],
  outputs: ['output'],
  attrs: { mode: 'string', pads: 'ints', value: 'float' },
  quant: { kind: 'map', inputs: [0], moves: (node) => stringAttr(node, 'mode', 'constant') !== 'constant' },
  grad: padGrad,
  axes: padAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    return [fact(dtypeOf(call.inputs[0]), shape && padded(call, shape))]
  },
})

const centerCropPad = def('CenterCropPad', 18, {
  inputs: ['input_data', 'shape'],
  outputs: ['output_data'],
  attrs: { axes: 'ints' },
  quant: map(0),
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    if (shape === null) return [fact(dtype, null)]
    const axes = normalizeAxes(intsAttr(call.node, 'axes') ?? [...shape.keys()], shape.length, whereOf(call))
    const target = dimList(call, 'shape', 1)
    const out = shape.map((d, i) => (axes.includes(i) ? (target?.[axes.indexOf(i)] ?? null) : d))
    return [fact(dtype, out)]
  },
})

/** Blocks of b×b between depth and space of an N×C×H×W tensor. */
const blocks = (
  op: string,
  attrs: OpDef['schema']['attrs'],
  grad: GradRule,
  axes: OpDef['axes'],
  rearrange: (d: readonly Dim[], b: number, where: string) => Dim[],
): OpDef =>
  def(op, 1, {
    inputs: ['input'],
    outputs: ['output'],
    attrs,
    quant: move(0),
    grad,
    axes,
    infer: (call) => {
      const shape = shapeOf(call.inputs[0]) ?? unknownDims(4)
      const block = intAttr(call.node, 'blocksize', 0)
      if (shape.length !== 4) throw malformed(whereOf(call), 'the input must have 4 axes', shape)
      if (block < 1) throw malformed(whereOf(call), 'blocksize must be positive', block)
      return [fact(dtypeOf(call.inputs[0]), rearrange(shape, block, whereOf(call)))]
    },
  })

export const layouts: readonly OpDef[] = [
  transpose,
  expand,
  tile,
  concat,
  split,
  pad,
  centerCropPad,
  blocks(
    'DepthToSpace',
    { blocksize: 'int', mode: 'string' },
    depthToSpaceGrad,
    depthToSpaceAxes,
    ([n, c, h, w], b, where) => [n!, divDim(c!, b * b, where), mulDim(h!, b), mulDim(w!, b)],
  ),
  blocks('SpaceToDepth', { blocksize: 'int' }, spaceToDepthGrad, spaceToDepthAxes, ([n, c, h, w], b, where) => [
    n!,
    mulDim(c!, b * b),
    divDim(h!, b, where),
    divDim(w!, b, where),
  ]),
]
