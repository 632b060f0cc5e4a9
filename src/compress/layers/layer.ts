/**
 * Layers: products with a constant weight, each seen as a matrix that is multiplied by columns of what enters it. What
 * chooses, prunes or splits weights by what a layer sees works on these, and need not know a Conv from a Gemm.
 */

import { intAttr } from '../../ir/attrs.js'
import { consumers } from '../../ir/graphs.js'
import { elementCount, f32, floats } from '../../ir/tensor.js'
import type { Graph, Node, Tensor } from '../../ir/types.js'
import { transposed } from '../quantize/transpose.js'
import { allFinite } from '../quantize/weights.js'

export interface Layer {
  readonly node: Node
  /** `input` and `state`: what a recurrent node multiplies its input and its last output by. */
  readonly kind: 'conv' | 'product' | 'input' | 'state'
  /** Name of what enters. */
  readonly input: string
  /** Name of the weight: a finite float32 constant of the graph. */
  readonly weight: string
  /** Parts that see inputs of their own: those of a grouped convolution, else 1. */
  readonly groups: number
  /** Outputs a group. */
  readonly rows: number
  /** Inputs a group, times the positions of the kernel: what one output sums over. */
  readonly depth: number
  /** The weight lies [depth, rows] in the file, not [groups · rows, depth]. */
  readonly isTransposed: boolean
}

/** The layers of a graph, in its order: Conv of any rank, MatMul by a matrix, Gemm. Subgraphs are not looked into. */
export function findLayers(graph: Graph): readonly Layer[] {
  const overridable = new Set(graph.inputs)
  return graph.nodes.flatMap((node) => {
    const [input, weight] = node.inputs
    if (node.domain !== '' || !input || !weight || overridable.has(weight) || graph.constants.has(input)) return []
    const t = graph.constants.get(weight)
    const form = t?.dtype === 'float32' ? formOf(node, t) : null
    return form !== null && form.rows > 0 && form.depth > 0 && allFinite(t!) ? [{ node, input, weight, ...form }] : []
  })
}

type Form = Pick<Layer, 'kind' | 'groups' | 'rows' | 'depth' | 'isTransposed'>

function formOf(node: Node, { shape }: Tensor): Form | null {
  if (node.op === 'Conv') {
    const groups = intAttr(node, 'group', 1)
    return { kind: 'conv', groups, rows: shape[0]! / groups, depth: elementCount(shape.slice(1)), isTransposed: false }
  }
  if ((node.op !== 'MatMul' && node.op !== 'Gemm') || shape.length !== 2) return null
  const [first, second] = shape as [number, number]
  return node.op === 'Gemm' && intAttr(node, 'transB', 0) === 1
    ? { kind: 'product', groups: 1, rows: first, depth: second, isTransposed: false }
    : { kind: 'product', groups: 1, rows: second, depth: first, isTransposed: true }
}

/** The weight as [groups · rows, depth]: each output's weights lie together, of a Conv channel by channel. May be shared. */
export function weightMatrix({ weight, groups, rows, depth, isTransposed }: Layer, graph: Graph): Float32Array {
  const data = floats(graph.constants.get(weight)!)
  return isTransposed ? transposed(data, depth, groups * rows) : data
}

/** Such a matrix as the tensor that the layer's node reads. */
function weightTensor(
  { weight, groups, rows, depth, isTransposed }: Layer,
  graph: Graph,
  matrix: Float32Array,
): Tensor {
  const { shape, doc } = graph.constants.get(weight)!
  const data = isTransposed ? transposed(matrix, groups * rows, depth) : matrix
  return { ...f32(shape, data), ...(doc !== undefined && { doc }) }
}

/** The graph in which that layer, and all that read its weight, read the matrix instead. */
export function withWeightMatrix(graph: Graph, layer: Layer, matrix: Float32Array): Graph {
  return { ...graph, constants: new Map([...graph.constants, [layer.weight, weightTensor(layer, graph, matrix)]]) }
}

/**
 * Layers by the weight that they read, where all its readers are layers of one form: a weight that something else reads
 * too is not the layers' to choose. The first of the layers stands for the form.
 */
export function layersByWeight(graph: Graph, layers: readonly Layer[]): ReadonlyMap<string, readonly Layer[]> {
  const byWeight = new Map<string, Layer[]>()
  for (const layer of layers) {
    const known = byWeight.get(layer.weight)
    if (known) known.push(layer)
    else byWeight.set(layer.weight, [layer])
  }
  const readers = consumers(graph)
  const isForm = (a: Layer, b: Layer): boolean =>
    a.groups === b.groups && a.rows === b.rows && a.depth === b.depth && a.isTransposed === b.isTransposed
  const fixed = new Set(graph.outputs)
  return new Map(
    [...byWeight].filter(
      ([weight, own]) =>
        !fixed.has(weight) &&
        readers.get(weight)!.length === own.length &&
        own.every((layer) => isForm(layer, own[0]!)),
    ),
  )
}
