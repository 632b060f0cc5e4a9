/** A layer as a chain of smaller ones that together stand for it. */

import { ints, intsAttr } from '../../ir/attrs.js'
import { nodeKey } from '../../ir/graphs.js'
import { f32 } from '../../ir/tensor.js'
import type { Attr, Node, Tensor } from '../../ir/types.js'
import { transposed } from '../../linalg/products.js'
import type { Layer } from '../layers/layer.js'
import { type Rewriter, withInput } from '../quantize/rewrite.js'
import { raisedBias } from './bias.js'
import type { Candidate } from './candidates.js'
import type { Part } from './decompose.js'

/** What a part's node reads: [outputs, inputs, …kernel] of a convolution, [inputs, outputs] of a product. */
function partTensor({ matrix, outputs, inputs, isKernel }: Part, kernel: readonly number[] | null): Tensor {
  if (kernel === null) return f32([inputs, outputs], transposed(matrix, outputs, inputs))
  return f32([outputs, inputs, ...kernel.map((k) => (isKernel ? k : 1))], matrix)
}

/**
 * The nodes of a chain from what enters the layer to what leaves it. The last one has the layer's name and bias. `weights`: of
 * each part the name of its constant.
 */
function chainNodes(
  { node, input }: Layer,
  parts: readonly Part[],
  weights: readonly string[],
  fresh: (hint: string) => string,
): readonly Node[] {
  const bias = node.inputs.slice(2)
  const output = node.outputs[0]!
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

/** What stands for a weight and those that read it. */
export interface Split {
  readonly constants: ReadonlyMap<string, Tensor>
  /** Nodes and what stands for them. */
  readonly replaced: ReadonlyMap<Node, readonly Node[]>
}

/**
 * `shift`: of each reader, what its bias takes up. The constants are the rewriter's already; those that nothing reads in the
 * end go with what is dead.
 */
export function splitOf(
  { readers, weight }: Candidate,
  parts: readonly Part[],
  shift: readonly (Float64Array | null)[],
  r: Rewriter,
): Split {
  const constants = new Map<string, Tensor>()
  const constant = (t: Tensor, hint: string): string => {
    const name = r.constant(t, hint)
    constants.set(name, t)
    return name
  }
  const { layer: first } = readers[0]!
  const names = parts.map((part) => constant(partTensor(part, weight.kernel), `${first.weight}_part`))
  const replaced = new Map<Node, readonly Node[]>()
  for (const [i, { layer, bias }] of readers.entries()) {
    const by = shift[i] ?? null
    const raised = bias && by && { ...bias, name: constant(raisedBias(bias, by), `${first.weight}_bias`) }
    const own = raised?.node === layer.node ? withInputAt(layer.node, raised.input, raised.name) : layer.node
    replaced.set(layer.node, chainNodes({ ...layer, node: own }, parts, names, r.fresh))
    if (raised && raised.node !== layer.node)
      replaced.set(raised.node, [withInput(raised.node, raised.input, raised.name)])
  }
  return { constants, replaced }
}

/** The same node with one input exchanged, or with one more. */
const withInputAt = (node: Node, index: number, name: string): Node => ({
  ...node,
  inputs: [...node.inputs.slice(0, index), name],
})
