/** Products with a constant weight: MatMul, and Gemm where it is no more than MatMul and a bias. */

import { floatAttr, intAttr } from '../../ir/attrs.js'
import type { Graph, Node } from '../../ir/types.js'

export interface ConstantProduct {
  /** Name of the weight: [depth, columns], or [columns, depth] where `transposed`. */
  readonly weight: string
  readonly transposed: boolean
  readonly bias?: string
}

/** Null where the node is no such product, or its weight is not a float32 matrix of this graph. */
export function constantProduct(node: Node, graph: Graph): ConstantProduct | null {
  const [x, weight, bias] = node.inputs
  if (node.domain !== '' || x === undefined || weight === undefined || graph.constants.has(x)) return null
  const t = graph.constants.get(weight)
  if (t?.dtype !== 'float32' || t.shape.length !== 2) return null
  if (node.op === 'MatMul') return { weight, transposed: false }
  if (node.op !== 'Gemm' || !isPlainGemm(node)) return null
  return { weight, transposed: intAttr(node, 'transB', 0) === 1, ...(bias && { bias }) }
}

/** Without scaling, and with its input as it is. */
export const isPlainGemm = (node: Node): boolean =>
  intAttr(node, 'transA', 0) === 0 && floatAttr(node, 'alpha', 1) === 1 && floatAttr(node, 'beta', 1) === 1
