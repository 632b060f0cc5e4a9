/**
 * MatMul and the Add of its bias → Gemm, where the input is known to be a matrix: one node less, and the form in which
 * the engine's integer kernels take a bias. (Batched inputs stay: Gemm knows matrices only.)
 */

import { dropValues } from '../ir/edits.js'
import { consumers, mapGraphs, withGraph } from '../ir/graphs.js'
import type { Graph, Node } from '../ir/types.js'
import { type Fact, shapeOf } from '../ops/def.js'
import { factFinder } from './facts.js'
import type { Pass } from './pass.js'

export const fuseGemm: Pass = {
  name: 'fuse-gemm',
  run: async (model) => {
    const find = factFinder(model)
    return withGraph(
      model,
      mapGraphs(model.graph, (graph) => fuseGraph(graph, find)),
    )
  },
}

function fuseGraph(graph: Graph, find: (name: string) => Fact | null): Graph {
  const users = consumers(graph)
  const fused = new Map<Node, Node | null>()
  for (const node of graph.nodes) {
    const add = biasOf(node, graph, users, find)
    if (add === null) continue
    const bias = add.inputs.find((name) => name !== node.outputs[0])!
    fused.set(node, null)
    fused.set(add, { ...node, op: 'Gemm', inputs: [...node.inputs, bias], outputs: add.outputs })
  }
  if (fused.size === 0) return graph
  const gone = new Set([...fused].flatMap(([node, next]) => (next === null ? node.outputs : [])))
  const nodes = graph.nodes.flatMap((n) => (fused.has(n) ? (fused.get(n) ?? []) : [n]))
  return dropValues({ ...graph, nodes }, (name) => gone.has(name))
}

/** The Add that is all that reads the product, and adds one constant element a column. */
function biasOf(
  node: Node,
  graph: Graph,
  users: ReadonlyMap<string, readonly Node[]>,
  find: (name: string) => Fact | null,
): Node | null {
  if (node.domain !== '' || node.op !== 'MatMul') return null
  const [x, w] = node.inputs as [string, string]
  const out = node.outputs[0]!
  const weight = graph.constants.get(w)
  const readers = users.get(out) ?? []
  const [add] = readers
  if (weight?.dtype !== 'float32' || weight.shape.length !== 2 || graph.inputs.includes(w)) return null
  if (readers.length !== 1 || add!.domain !== '' || add!.op !== 'Add' || graph.outputs.includes(out)) return null
  if (shapeOf(find(x))?.length !== 2) return null
  const bias = graph.constants.get(add!.inputs.find((name) => name !== out) ?? '')
  return bias?.dtype === 'float32' && bias.shape.length === 1 && bias.shape[0] === weight.shape[1] ? add! : null
}
