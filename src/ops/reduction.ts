/** Reductions along axes, cumulative sums, and ops that search or sort: ArgMax, TopK, NonZero, Unique. */

import { intAttr } from '../ir/attrs.js'
import type { Dim } from '../ir/types.js'
import { argumentAxes, cumulativeAxes, reduceAxes, topKAxes } from './axes/reduction.js'
import { type Call, dtypeOf, type Fact, type GradRule, type OpDef, shapeOf } from './def.js'
import {
  cumSumGrad,
  reduceExtremeGrad,
  reduceL1Grad,
  reduceL2Grad,
  reduceLogSumExpGrad,
  reduceLogSumGrad,
  reduceMeanGrad,
  reduceProdGrad,
  reduceSumGrad,
  reduceSumSquareGrad,
  topKGrad,
} from './gradients/reduction.js'
import { def, exact, fact, like, map, move } from './make.js'
import {
  axesOf,
  contentOf,
  dimList,
  fits,
  isStatic,
  normalizeAxis,
  product,
  scalarOf,
  unknownDims,
  whereOf,
} from './shapes.js'

/** The shape that remains of `shape`. Axes may be unknown (null) or absent (undefined: all of them). */
function reducedShape(call: Call, shape: readonly Dim[]): readonly Dim[] | null {
  const keep = intAttr(call.node, 'keepdims', 1) === 1
  if (shape.length === 0) return []
  const axes = axesOf(call, shape.length, 1)
  if (axes === null) {
    const count = dimList(call, 'axes', 1)?.length
    if (keep) return shape.map((d) => (d === 1 ? 1 : null))
    return count === undefined || count === 0 || count > shape.length ? null : unknownDims(shape.length - count)
  }
  const none = axes === undefined || axes.length === 0
  if (none && intAttr(call.node, 'noop_with_empty_axes', 0) === 1) return shape
  const over = new Set(none ? shape.keys() : axes)
  return shape.flatMap((d, i) => (over.has(i) ? (keep ? [1] : []) : [d]))
}

type Fold = (elements: readonly number[]) => number

/** The one element that a reduction of known 1-D content gives. */
function reducedContent(call: Call, fold: Fold): readonly Dim[] | null {
  const shape = shapeOf(call.inputs[0])
  const content = contentOf(call, 0)
  if (shape?.length !== 1 || content === null || content.length === 0) return null
  const axes = axesOf(call, 1, 1)
  if (axes === null) return null
  const none = axes === undefined || axes.length === 0
  if (none && intAttr(call.node, 'noop_with_empty_axes', 0) === 1) return content
  const dtype = dtypeOf(call.inputs[0])
  return isStatic(content) && content.every((c) => fits(c, dtype)) ? [exact(fold(content), dtype)] : null
}

/** Axes are an attribute at first and an input later: the readers take either. */
const reduce = (op: string, quant: OpDef['quant'], { fold, grad }: { fold?: Fold; grad?: GradRule } = {}): OpDef =>
  def(op, 1, {
    inputs: ['data', 'axes?'],
    outputs: ['reduced'],
    attrs: { axes: 'ints', keepdims: 'int', noop_with_empty_axes: 'int' },
    quant,
    axes: reduceAxes,
    ...(grad && { grad }),
    infer: (call) => {
      const shape = shapeOf(call.inputs[0])
      const content = fold ? reducedContent(call, fold) : null
      return [fact(dtypeOf(call.inputs[0]), shape && reducedShape(call, shape), content)]
    },
  })

const argument = (op: string): OpDef =>
  def(op, 1, {
    inputs: ['data'],
    outputs: ['reduced'],
    attrs: { axis: 'int', keepdims: 'int', select_last_index: 'int' },
    axes: argumentAxes,
    grad: 'flat',
    infer: (call) => {
      const shape = shapeOf(call.inputs[0])
      if (shape === null) return [fact('int64', null)]
      if (shape.length === 0) return [fact('int64', [])]
      const axis = normalizeAxis(intAttr(call.node, 'axis', 0), shape.length, whereOf(call))
      const keep = intAttr(call.node, 'keepdims', 1) === 1
      return [
        fact(
          'int64',
          shape.flatMap((d, i) => (i === axis ? (keep ? [1] : []) : [d])),
        ),
      ]
    },
  })

const cumulative = (op: string, since: number, grad: OpDef['grad'] = 'none'): OpDef =>
  def(op, since, {
    inputs: ['x', 'axis'],
    outputs: ['y'],
    attrs: { exclusive: 'int', reverse: 'int' },
    axes: cumulativeAxes,
    quant: map(0),
    grad,
    infer: (call) => [like(call)],
  })

/** `k` is an attribute up to opset 9. */
const topK = def('TopK', 1, {
  inputs: ['X', 'K'],
  outputs: ['Values', 'Indices'],
  attrs: { axis: 'int', k: 'int', largest: 'int', sorted: 'int' },
  quant: move(0),
  grad: topKGrad,
  axes: topKAxes,
  infer: (call) => {
    const shape = shapeOf(call.inputs[0])
    const dtype = dtypeOf(call.inputs[0])
    if (shape === null) return [fact(dtype, null), fact('int64', null)]
    const axis = normalizeAxis(intAttr(call.node, 'axis', -1), shape.length, whereOf(call))
    const k = intAttr(call.node, 'k') ?? scalarOf(call, 1)
    const out = shape.with(axis, k)
    return [fact(dtype, out), fact('int64', out)]
  },
})

const nonZero = def('NonZero', 9, {
  inputs: ['X'],
  outputs: ['Y'],
  grad: 'flat',
  infer: (call) => {
    const rank = shapeOf(call.inputs[0])?.length
    return [fact('int64', [rank === undefined || rank === 0 ? null : rank, null])]
  },
})

const unique = def('Unique', 11, {
  inputs: ['X'],
  outputs: ['Y', 'indices?', 'inverse_indices?', 'counts?'],
  separable: true,
  attrs: { axis: 'int', sorted: 'int' },
  infer: (call): readonly (Fact | null)[] => {
    const shape = shapeOf(call.inputs[0])
    const given = intAttr(call.node, 'axis')
    const axis = given === undefined || shape === null ? given : normalizeAxis(given, shape.length, whereOf(call))
    const y = axis === undefined ? [null] : (shape?.with(axis, null) ?? null)
    const inverse = shape === null ? null : axis === undefined ? product(shape) : shape[axis]!
    return [fact(dtypeOf(call.inputs[0]), y), fact('int64', [null]), fact('int64', [inverse]), fact('int64', [null])]
  },
})

const sum: Fold = (xs) => xs.reduce((a, b) => a + b, 0)

export const reduction: readonly OpDef[] = [
  reduce('ReduceSum', map(0), { fold: sum, grad: reduceSumGrad }),
  reduce('ReduceMean', map(0), { grad: reduceMeanGrad }),
  reduce('ReduceMax', move(0), { fold: (xs) => Math.max(...xs), grad: reduceExtremeGrad }),
  reduce('ReduceMin', move(0), { fold: (xs) => Math.min(...xs), grad: reduceExtremeGrad }),
  reduce('ReduceProd', map(0), { fold: (xs) => xs.reduce((a, b) => a * b, 1), grad: reduceProdGrad }),
  reduce('ReduceL1', map(0), { grad: reduceL1Grad }),
  reduce('ReduceL2', map(0), { grad: reduceL2Grad }),
  reduce('ReduceLogSum', map(0), { grad: reduceLogSumGrad }),
  reduce('ReduceLogSumExp', map(0), { grad: reduceLogSumExpGrad }),
  reduce('ReduceSumSquare', map(0), { grad: reduceSumSquareGrad }),
  argument('ArgMax'),
  argument('ArgMin'),
  cumulative('CumSum', 11, cumSumGrad),
  cumulative('CumProd', 26),
  topK,
  nonZero,
  unique,
]
