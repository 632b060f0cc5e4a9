/** Topological order for a whole model: its graph, the graphs inside it, its functions. */

import { mapGraphs, mapSame, mapSubgraphs, sortNodes } from './graphs.js'
import type { Func, Graph, Model, Node } from './types.js'

/** The model with every node behind those it reads from; the same object where that is so already. Cycles stay. */
export function sortModel(model: Model): Model {
  const graph = mapGraphs(model.graph, sortGraph)
  const functions = mapSame(model.functions, sortFunction)
  const same = graph === model.graph && functions === model.functions
  return same ? model : { ...model, graph, functions }
}

const sortGraph = (graph: Graph): Graph => withNodes(graph, sorted(graph.nodes))

const sortFunction = (f: Func): Func =>
  withNodes(f, sorted(mapSame(f.nodes, (node) => mapSubgraphs(node, (inner) => mapGraphs(inner, sortGraph)))))

const withNodes = <T extends Graph | Func>(owner: T, nodes: readonly Node[]): T =>
  nodes === owner.nodes ? owner : { ...owner, nodes }

function sorted(nodes: readonly Node[]): readonly Node[] {
  const order = sortNodes(nodes)
  return order === null ? nodes : mapSame(nodes, (_, i) => order[i]!)
}
