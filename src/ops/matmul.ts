/** Matrix products: plain, general, by equation, integer and block-quantized. */

import { intAttr } from '../ir/attrs.js'
import type { Dim } from '../ir/types.js'
import { einsumAxes } from './axes/einsum.js'
import { gemmAxes, matmulAxes } from './axes/matmul.js'
import { type Call, type Cost, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { einsumMacs, einsumShape } from './einsum.js'
import { einsumGrad } from './gradients/einsum.js'
import { gemmGrad, matmulGrad } from './gradients/matmul.js'
import { commonDType, def, fact } from './make.js'
import { broadcast, hasInput, malformed, product, unify, whereOf } from './shapes.js'

/** Matrix axes of a shape as numpy's matmul sees them: a vector is a row on the left, a column on the right. */
interface Operand {
  readonly batch: readonly Dim[]
  readonly rows: Dim
  readonly columns: Dim
  readonly vector: boolean
}

function operand(
  call: Call,
  input: number,
  side: 'left' | 'right',
  transposed: boolean,
  transBatch = false,
): Operand | null {
  const given = shapeOf(call.inputs[input])
  if (given === null) return null
  if (given.length === 0) throw malformed(whereOf(call), 'a matrix product needs at least one axis', `input ${input}`)
  if (given.length === 1) {
    const n = given[0]!
    return side === 'left'
      ? { batch: [], rows: 1, columns: n, vector: true }
      : { batch: [], rows: n, columns: 1, vector: true }
  }
  // transBatch stands for the permutation that moves the first axis behind the other batch axes.
  const shape = transBatch && given.length > 2 ? [...given.slice(1, -1), given[0]!, given.at(-1)!] : given
  const [a, b] = [shape.at(-2)!, shape.at(-1)!]
  return {
    batch: shape.slice(0, -2),
    rows: transposed ? b : a,
    columns: transposed ? a : b,
    vector: false,
  }
}

interface ProductOptions {
  readonly a?: number
  readonly b?: number
  readonly transA?: boolean
  readonly transB?: boolean
  readonly transBatchA?: boolean
  readonly transBatchB?: boolean
}

/** Operands of a product, where both ranks are known. */
function operands(call: Call, o: ProductOptions): readonly [Operand, Operand] | null {
  const left = operand(call, o.a ?? 0, 'left', o.transA ?? false, o.transBatchA)
  const right = operand(call, o.b ?? 1, 'right', o.transB ?? false, o.transBatchB)
  return left && right && [left, right]
}

/** Shape of A·B under numpy's rules: batch axes broadcast, a vector's missing axis is dropped. */
function productShape(call: Call, options: ProductOptions = {}): Dim[] | null {
  const sides = operands(call, options)
  if (sides === null) return null
  const [a, b] = sides
  unify(a.columns, b.rows, whereOf(call))
  const batch = broadcast([a.batch, b.batch], whereOf(call)) ?? []
  return [...batch, ...(a.vector ? [] : [a.rows]), ...(b.vector ? [] : [b.columns])]
}

/** batch · M · K · N. */
function productMacs(call: Call, outputs: readonly (Fact | null)[], options: ProductOptions = {}): Cost | null {
  const sides = operands(call, options)
  const out = shapeOf(outputs[0])
  if (sides === null || out === null) return null
  return macsOf([...out, unify(sides[0].columns, sides[1].rows, whereOf(call))])
}

function macsOf(dims: readonly Dim[]): Cost | null {
  const macs = product(dims)
  return typeof macs === 'number' ? { macs } : null
}

/** [M, N] of op(A)·op(B), both of rank 2. */
function gemmOptions(call: Call, b = 1): ProductOptions {
  return { b, transA: intAttr(call.node, 'transA', 0) !== 0, transB: intAttr(call.node, 'transB', 0) !== 0 }
}

const FUSED_MATMUL_ATTRS = {
  alpha: 'float',
  transA: 'int',
  transB: 'int',
  transBatchA: 'int',
  transBatchB: 'int',
} as const

const fusedOptions = (call: Call): ProductOptions => ({
  ...gemmOptions(call),
  transBatchA: intAttr(call.node, 'transBatchA', 0) !== 0,
  transBatchB: intAttr(call.node, 'transBatchB', 0) !== 0,
})

/** The last axis of the weight on the right, the one before the last on the left; a vector has one channel. */
const matmulAxis = (call: Pick<Call, 'inputs'>, weight: number, transposed = false): number | null => {
  const rank = shapeOf(call.inputs[weight])?.length ?? 0
  if (rank < 2) return null
  return (weight === 0) === transposed ? rank - 1 : rank - 2
}

const GEMM_ATTRS = { alpha: 'float', beta: 'float', transA: 'int', transB: 'int' } as const

const GEMM_QUANT: OpDef['quant'] = {
  kind: 'weighted',
  data: [0],
  weights: [1],
  bias: 2,
  channelAxis: ({ node }) => (intAttr(node, 'transB', 0) !== 0 ? 0 : 1),
}

export const matmul: readonly OpDef[] = [
  def('MatMul', 1, {
    inputs: ['A', 'B'],
    outputs: ['Y'],
    infer: (call) => [fact(commonDType(call, [0, 1]), productShape(call))],
    cost: productMacs,
    quant: { kind: 'weighted', data: [0, 1], weights: [1, 0], channelAxis: matmulAxis },
    grad: matmulGrad,
    axes: matmulAxes,
  }),
  def('Gemm', 1, {
    inputs: ['A', 'B', 'C?'],
    outputs: ['Y'],
    attrs: { ...GEMM_ATTRS, broadcast: 'int' },
    infer: (call) => [fact(commonDType(call, [0, 1]), productShape(call, gemmOptions(call)))],
    cost: (call, outputs) => productMacs(call, outputs, gemmOptions(call)),
    quant: GEMM_QUANT,
    grad: gemmGrad,
    axes: gemmAxes,
  }),
  def('Einsum', 12, {
    inputs: ['Inputs*'],
    outputs: ['Output'],
    attrs: { equation: 'string' },
    grad: einsumGrad,
    axes: einsumAxes,
    infer: (call) => [
      fact(
        commonDType(
          call,
          call.inputs.map((_, i) => i),
        ),
        einsumShape(call),
      ),
    ],
    cost: (call) => {
      const macs = einsumMacs(call)
      return typeof macs === 'number' ? { macs } : null
    },
  }),
  def('MatMulInteger', 10, {
    inputs: ['A', 'B', 'a_zero_point?', 'b_zero_point?'],
    outputs: ['Y'],
    infer: (call) => [fact('int32', productShape(call))],
    cost: productMacs,
  }),
  def('QLinearMatMul', 10, {
    inputs: ['a', 'a_scale', 'a_zero_point', 'b', 'b_scale', 'b_zero_point', 'y_scale', 'y_zero_point'],
    outputs: ['y'],
    infer: (call) => [fact(dtypeOf(call.inputs[7]), productShape(call, { b: 3 }))],
    cost: (call, outputs) => productMacs(call, outputs, { b: 3 }),
  }),
  def('FusedMatMul', 1, {
    domain: 'com.microsoft',
    inputs: ['A', 'B'],
    outputs: ['Y'],
    attrs: FUSED_MATMUL_ATTRS,
    infer: (call) => [fact(commonDType(call, [0, 1]), productShape(call, fusedOptions(call)))],
    cost: (call, outputs) => productMacs(call, outputs, fusedOptions(call)),
    quant: {
      kind: 'weighted',
      data: [0, 1],
      weights: [1, 0],
      channelAxis: ({ node, inputs }, weight) => {
        const side = weight === 0 ? 'A' : 'B'
        return intAttr(node, `transBatch${side}`, 0) !== 0
          ? null
          : matmulAxis({ inputs }, weight, intAttr(node, `trans${side}`, 0) !== 0)
      },
    },
  }),
  def('FusedGemm', 1, {
    domain: 'com.microsoft',
    inputs: ['A', 'B', 'C?'],
    outputs: ['Y'],
    attrs: {
      ...GEMM_ATTRS,
      activation: 'string',
      activation_alpha: 'float',
      activation_beta: 'float',
      activation_gamma: 'float',
    },
    infer: (call) => [fact(commonDType(call, [0, 1]), productShape(call, gemmOptions(call)))],
    cost: (call, outputs) => productMacs(call, outputs, gemmOptions(call)),
    quant: GEMM_QUANT,
  }),
  def('MatMulNBits', 1, {
    domain: 'com.microsoft',
    inputs: ['A', 'B', 'scales', 'zero_points?', 'g_idx?', 'bias?'],
    outputs: ['Y'],
    attrs: { K: 'int', N: 'int', accuracy_level: 'int', bits: 'int', block_size: 'int', weight_prepacked: 'int' },
    infer: (call) => [fact(dtypeOf(call.inputs[0]), nbitsShape(call))],
    cost: (call, outputs) => {
      const out = shapeOf(outputs[0])
      return out && macsOf([...out, intAttr(call.node, 'K') ?? null])
    },
  }),
  def('MatMulIntegerToFloat', 1, {
    domain: 'com.microsoft',
    inputs: ['A', 'B', 'a_scale', 'b_scale', 'a_zero_point?', 'b_zero_point?', 'bias?'],
    outputs: ['Y'],
    infer: (call) => [fact(commonDType(call, [2, 3]), productShape(call))],
    cost: productMacs,
  }),
  def('DynamicQuantizeMatMul', 1, {
    domain: 'com.microsoft',
    inputs: ['A', 'B', 'b_scale', 'b_zero_point?', 'bias?'],
    outputs: ['Y'],
    infer: (call) => [fact(commonDType(call, [0, 2]), productShape(call))],
    cost: productMacs,
  }),
  def('QGemm', 1, {
    domain: 'com.microsoft',
    inputs: ['A', 'a_scale', 'a_zero_point', 'B', 'b_scale', 'b_zero_point', 'C?', 'y_scale?', 'y_zero_point?'],
    outputs: ['Y'],
    attrs: { alpha: 'float', transA: 'int', transB: 'int' },
    // Without a scale for the output it stays in floating point.
    infer: (call) => [
      fact(commonDType(call, hasInput(call, 8) ? [8] : [1, 4]), productShape(call, gemmOptions(call, 3))),
    ],
    cost: (call, outputs) => productMacs(call, outputs, gemmOptions(call, 3)),
  }),
]

/** [..., N]: the weight's rows are packed along K. */
function nbitsShape(call: Call): Dim[] | null {
  const a = shapeOf(call.inputs[0])
  const n = intAttr(call.node, 'N')
  if (a === null || n === undefined) return null
  const k = intAttr(call.node, 'K')
  if (k !== undefined) unify(a.at(-1) ?? null, k, whereOf(call))
  return [...a.slice(0, -1), n]
}
