/** Ops that keep the elements in order and change the shape or the type around them. */

import { intAttr } from '../ir/attrs.js'
import { dtypeOfCode } from '../ir/dtypes.js'
import type { Dim, DType } from '../ir/types.js'
import { reshapeAxes, squeezeAxes, targetAxes } from './axes/reshape.js'
import { dropoutAxes, eachAxis } from './axes/tools.js'
import { type Call, dtypeOf, type OpDef, shapeOf } from './def.js'
import { castGrad, dropoutGrad, passGrad, reshapeGrad } from './gradients/movement.js'
import { def, exact, fact, like, move } from './make.js'
import {
  axesOf,
  dimList,
  elementsOf,
  isStatic,
  malformed,
  normalizeAxes,
  normalizeAxis,
  product,
  unknownDims,
  whereOf,
} from './shapes.js'

/**
 * The one dimension x that makes `product(others) · x = product(input)`. Symbols that both sides share cancel; what
 * remains must be a whole number, or one symbol alone, else the answer is null.
 */
function missingDim(input: readonly Dim[], others: readonly Dim[], where: string): Dim {
  const symbols: Dim[] = input.filter((d) => typeof d !== 'number')
  for (const d of others) {
    if (typeof d === 'number') continue
    const i = d === null ? -1 : symbols.indexOf(d)
    if (i < 0) return null
    symbols.splice(i, 1)
  }
  const productOf = (dims: readonly Dim[]) => dims.reduce<number>((n, d) => (typeof d === 'number' ? n * d : n), 1)
  const [total, divisor] = [productOf(input), productOf(others)]
  if (divisor === 0) return null
  const quotient = total / divisor
  if (symbols.length > 0) return quotient === 1 || total === 0 ? product([quotient, ...symbols]) : null
  if (Number.isInteger(quotient)) return quotient
  throw malformed(where, `${total} elements do not fill a multiple of ${divisor}`, others)
}

/** 0 copies the input's dimension unless `allowzero`, −1 (or one that is unknown) follows from the element count. */
function reshaped(call: Call): readonly Dim[] | null {
  const input = shapeOf(call.inputs[0])
  const target = dimList(call, 'shape', 1)
  if (target === undefined || target === null) return null
  const where = whereOf(call)
  const copies = intAttr(call.node, 'allowzero', 0) === 0
  const dims = target.map((d, i): Dim => {
    if (d !== 0 || !copies) return d
    if (input !== null && i >= input.length) throw malformed(where, 'a 0 in the new shape copies no dimension', target)
    return input?.[i] ?? null
  })
  const open = target.flatMap((d, i) => (d === -1 || d === null ? [i] : []))
  const known = dims.map((d) => (d === -1 ? null : d))
  if (input === null || open.length > 1) return known
  if (open.length === 1) {
    const copied = (i: number): boolean => copies && target[i] === 0
    const rest = input.filter((_, i) => !copied(i))
    const others = known.filter((_, i) => !open.includes(i) && !copied(i))
    return known.with(open[0]!, missingDim(rest, others, where))
  }
  if (isStatic(input) && isStatic(known) && product(input) !== product(known)) {
    throw malformed(where, `a tensor of shape [${input.join(', ')}] does not fit the new shape`, known)
  }
  return known
}

const reshape = def('Reshape', 1, {
  inputs: ['data', 'shape'],
  outputs: ['reshaped'],
  attrs: { shape: 'ints', allowzero: 'int' },
  quant: move(0),
  grad: reshapeGrad,
  axes: targetAxes,
  infer: (call) => [fact(dtypeOf(call.inputs[0]), reshaped(call), elementsOf(call, 0))],
})

const flatten = def('Flatten', 1, {
  inputs: ['input'],
  outputs: ['output'],
  attrs: { axis: 'int' },
  quant: move(0),
  grad: reshapeGrad,
  axes: reshapeAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    if (shape === null) return [fact(dtype, [null, null])]
    const given = intAttr(call.node, 'axis', 1)
    const axis = given === shape.length ? given : normalizeAxis(given, shape.length, whereOf(call))
    return [fact(dtype, [product(shape.slice(0, axis)), product(shape.slice(axis))], elementsOf(call, 0))]
  },
})

const squeeze = def('Squeeze', 1, {
  inputs: ['data', 'axes?'],
  outputs: ['squeezed'],
  attrs: { axes: 'ints' },
  quant: move(0),
  grad: reshapeGrad,
  axes: squeezeAxes,
  infer: (call) => [fact(dtypeOf(call.inputs[0]), squeezed(call), elementsOf(call, 0))],
})

function squeezed(call: Call): readonly Dim[] | null {
  const shape = shapeOf(call.inputs[0])
  if (shape === null) return null
  const axes = axesOf(call, shape.length, 1)
  if (axes === undefined) return isStatic(shape) ? shape.filter((d) => d !== 1) : null
  if (axes === null) {
    const count = dimList(call, 'axes', 1)?.length
    return count === undefined || count > shape.length ? null : unknownDims(shape.length - count)
  }
  for (const axis of axes) {
    const d = shape[axis]!
    if (typeof d === 'number' && d !== 1) throw malformed(whereOf(call), `axis ${axis} is not of size 1`, shape)
  }
  return shape.filter((_, i) => !axes.includes(i))
}

const unsqueeze = def('Unsqueeze', 1, {
  inputs: ['data', 'axes'],
  outputs: ['expanded'],
  attrs: { axes: 'ints' },
  quant: move(0),
  grad: reshapeGrad,
  axes: reshapeAxes,
  infer: (call) => [fact(dtypeOf(call.inputs[0]), unsqueezed(call), elementsOf(call, 0))],
})

function unsqueezed(call: Call): readonly Dim[] | null {
  const shape = shapeOf(call.inputs[0])
  const axes = dimList(call, 'axes', 1)
  if (shape === null || axes === undefined || axes === null) return null
  const rank = shape.length + axes.length
  if (!isStatic(axes)) return unknownDims(rank)
  const at = new Set(normalizeAxes(axes, rank, whereOf(call)))
  const rest = shape.values()
  return Array.from({ length: rank }, (_, i) => (at.has(i) ? 1 : (rest.next().value ?? null)))
}

const identity = def('Identity', 1, {
  inputs: ['input'],
  outputs: ['output'],
  quant: move(0),
  grad: passGrad,
  axes: eachAxis,
  infer: (call) => [call.inputs[0] ?? null],
})

/** Inference passes elements through. Marked random for the sake of training, where it drops elements. */
const dropout = def('Dropout', 1, {
  inputs: ['data', 'ratio?', 'training_mode?'],
  outputs: ['output', 'mask?'],
  separable: true,
  attrs: { ratio: 'float', seed: 'int' },
  quant: move(0),
  random: true,
  grad: dropoutGrad,
  axes: dropoutAxes,
  infer: (call) => [like(call), call.opset >= 10 ? like(call, 0, 'bool') : like(call)],
})

/** Content of another type. A symbol is a size, which 32- and 64-bit integers and float64 hold exactly. */
function converted(call: Call, dtype: DType): readonly Dim[] | null {
  const sizes = /^(u?int(32|64)|float64)$/.test(dtype)
  const convert = (d: Dim): Dim => {
    if (typeof d !== 'number') return sizes ? d : null
    if (dtype === 'bool') return d === 0 ? 0 : 1
    return exact(/^u?int/.test(dtype) ? Math.trunc(d) : d, dtype)
  }
  return elementsOf(call, 0)?.map(convert) ?? null
}

const cast = def('Cast', 1, {
  inputs: ['input'],
  outputs: ['output'],
  attrs: { to: 'int', saturate: 'int', round_mode: 'string' },
  grad: castGrad,
  axes: eachAxis,
  infer: (call) => {
    const dtype = dtypeOfCode(intAttr(call.node, 'to', 0))
    return [fact(dtype, shapeOf(call.inputs[0]), converted(call, dtype))]
  },
})

const castLike = def('CastLike', 15, {
  inputs: ['input', 'target_type'],
  outputs: ['output'],
  attrs: { saturate: 'int', round_mode: 'string' },
  grad: castGrad,
  axes: eachAxis,
  infer: (call) => {
    const dtype = dtypeOf(call.inputs[1])
    return [fact(dtype, shapeOf(call.inputs[0]), converted(call, dtype))]
  },
})

const bitCast = def('BitCast', 26, {
  inputs: ['input'],
  outputs: ['output'],
  attrs: { to: 'int' },
  infer: (call) => [like(call, 0, dtypeOfCode(intAttr(call.node, 'to', 0)))],
})

export const reshapes: readonly OpDef[] = [
  reshape,
  flatten,
  squeeze,
  unsqueeze,
  identity,
  dropout,
  cast,
  castLike,
  bitCast,
]
