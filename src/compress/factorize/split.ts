/** A layer as a chain of smaller ones that together stand for it. */

import { ints, intsAttr } from '../../ir/attrs.js'
import { nodeKey } from '../../ir/graphs.js'
import { f32 } from '../../ir/tensor.js'
import type { Attr, Node, Tensor } from '../../ir/types.js'
import { transposed } from '../../linalg/products.js'
import type { Layer } from '../layers/layer.js'
import type { Part } from './decompose.js'

/** What a part's node reads: [outputs, inputs, …kernel] of a convolution, [inputs, outputs] of a product. */
export function partTensor({ matrix, outputs, inputs, isKernel }: Part, kernel: readonly number[] | null): Tensor {
  if (kernel === null) return f32([inputs, outputs], transposed(matrix, outputs, inputs))
  return f32([outputs, inputs, ...kernel.map((k) => (isKernel ? k : 1))], matrix)
}

/**
 * The nodes of a chain from what enters the layer to `output`. The last one has the layer's name and bias. `weights`: of
 * each part the name of its constant.
 */
export function chainNodes(
  { node, input }: Layer,
  parts: readonly Part[],
  weights: readonly string[],
  output: string,
  fresh: (hint: string) => string,
): readonly Node[] {
  const bias = node.inputs.slice(2)
  let from = input
  return parts.map((part, i): Node => {
    const isLast = i === parts.length - 1
    const to = isLast ? output : fresh(`${output}_low`)
    const next: Node = {
      ...node,
      ...chainOp(node, part, isLast),
      name: isLast ? node.name : fresh(`${nodeKey(node)}_low`),
      inputs: [from, weights[i]!, ...(isLast ? bias : [])],
      outputs: [to],
    }
    from = to
    return next
  })
}

function chainOp(
  node: Node,
  { isKernel }: Part,
  isLast: boolean,
): { op: string; attrs: Readonly<Record<string, Attr>> } {
  if (node.op === 'Conv') return { op: 'Conv', attrs: isKernel ? node.attrs : pointwise(node) }
  return { op: isLast ? node.op : 'MatMul', attrs: {} }
}

/** A convolution that sees one position has nothing to pad, and goes in steps of one. */
function pointwise(node: Node): Readonly<Record<string, Attr>> {
  const kernel = intsAttr(node, 'kernel_shape')
  return kernel === undefined ? {} : { kernel_shape: ints(kernel.map(() => 1)) }
}
