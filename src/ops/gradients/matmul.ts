/** Gradients of matrix products. */

import { float, floatAttr, int, intAttr, ints } from '../../ir/attrs.js'
import type { Dim } from '../../ir/types.js'
import type { GradCall, GradRule } from '../def.js'
import { broadcast } from '../shapes.js'
import { list, mul, number, op, shapeOfInput, shapeOfOutput, sizesOf, sumOver, unbroadcast } from './tools.js'

/** A value with its last two axes exchanged; the engine makes it a part of the product that reads it. */
function transposed(g: GradCall, x: string, rank: number): string {
  const perm = Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i))
  return op(g, 'Transpose', [x], { perm: ints(perm) })
}

/**
 * dA = dY Bᵀ, dB = Aᵀ dY, summed over the batch axes along which a side was repeated. A vector is a matrix of one row
 * (left) or one column (right).
 */
export const matmulGrad: GradRule = (g) => {
  const shapes = [shapeOfInput(g, 0), shapeOfInput(g, 1)] as const
  const [vectorA, vectorB] = shapes.map((s) => s.length === 1) as [boolean, boolean]
  if (!vectorA && !vectorB && shapes[1].length === 2 && shapes[0].length !== 2) return flatGrad(g, shapes[0])
  const [nameA, nameB] = g.node.inputs as [string, string]
  const widened = (x: string, axes: readonly number[]): string =>
    axes.length === 0 ? x : op(g, 'Unsqueeze', [x, list(g, axes)])
  const a = widened(nameA, vectorA ? [0] : [])
  const b = widened(nameB, vectorB ? [1] : [])
  const rank = shapeOfOutput(g).length + Number(vectorA) + Number(vectorB)
  const dy = widened(g.dy[0]!, vectorA && vectorB ? [0, 1] : vectorA ? [rank - 2] : vectorB ? [rank - 1] : [])
  const shapeA: readonly Dim[] = vectorA ? [1, shapes[0][0]!] : shapes[0]
  const shapeB: readonly Dim[] = vectorB ? [shapes[1][0]!, 1] : shapes[1]
  const batch = broadcast([shapeA.slice(0, -2), shapeB.slice(0, -2)]) ?? []
  const back = (dx: string, input: 0 | 1, matrix: readonly Dim[], isVector: boolean): string => {
    const from = [...batch, ...matrix.slice(-2)]
    if (!isVector) return unbroadcast(g, dx, input, from)
    return op(g, 'Reshape', [
      sumOver(
        g,
        dx,
        batch.map((_, i) => i),
        false,
      ),
      sizesOf(g, input),
    ])
  }
  return [
    g.wants(0) ? back(op(g, 'MatMul', [dy, transposed(g, b, shapeB.length)]), 0, shapeA, vectorA) : null,
    g.wants(1) ? back(op(g, 'MatMul', [transposed(g, a, shapeA.length), dy]), 1, shapeB, vectorB) : null,
  ]
}

/** A stack of rows times one matrix: as one product of all rows, without a gradient for each of the stack. */
function flatGrad(g: GradCall, shapeA: readonly Dim[]): readonly (string | null)[] {
  const [a, b] = g.node.inputs as [string, string]
  const rows = (x: string, width: Dim): string => op(g, 'Reshape', [x, list(g, [-1, width as number])])
  const [k, n] = shapeOfInput(g, 1)
  const isKnown = typeof k === 'number' && typeof n === 'number'
  const dA = g.wants(0) ? op(g, 'MatMul', [g.dy[0]!, transposed(g, b, 2)]) : null
  if (!g.wants(1)) return [dA, null]
  const dB = isKnown
    ? op(g, 'Gemm', [rows(a, k), rows(g.dy[0]!, n)], { transA: int(1) })
    : sumOver(
        g,
        op(g, 'MatMul', [transposed(g, a, shapeA.length), g.dy[0]!]),
        shapeA.slice(0, -2).map((_, i) => i),
        false,
      )
  return [dA, dB]
}

/** Y = α op(A) op(B) + β C. */
export const gemmGrad: GradRule = (g) => {
  const [a, b] = g.node.inputs as [string, string]
  const dy = g.dy[0]!
  const [transA, transB] = ['transA', 'transB'].map((name) => intAttr(g.node, name, 0) !== 0) as [boolean, boolean]
  const alpha = floatAttr(g.node, 'alpha', 1)
  const beta = floatAttr(g.node, 'beta', 1)
  const product = (x: string, transX: boolean, y: string, transY: boolean): string =>
    op(g, 'Gemm', [x, y], {
      ...(alpha !== 1 && { alpha: float(alpha) }),
      ...(transX && { transA: int(1) }),
      ...(transY && { transB: int(1) }),
    })
  const dA = () => (transA ? product(b, transB, dy, true) : product(dy, false, b, !transB))
  const dB = () => (transB ? product(dy, true, a, transA) : product(a, !transA, dy, false))
  const dC = () => unbroadcast(g, beta === 1 ? dy : mul(g, dy, number(g, beta)), 2, shapeOfOutput(g))
  return [dA, dB, dC].map((make, i) => (g.wants(i) ? make() : null))
}
