/** Layers as the search sees them: nodes that own weights, the unit of falling back to float. */

import { mapGraphs, nodeKey } from '../ir/graphs.js'
import { elementCount } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { inspectModel } from '../passes/inspect.js'

export interface Layer {
  /** What transforms know it by: see `nodeKey`. */
  readonly key: string
  readonly op: string
  readonly parameters: number
  /** Share of the model's multiply-accumulates, in [0, 1]; 0 where unknown. */
  readonly costShare: number
}

/** Smallest weight that makes a node a layer worth asking about. */
const MIN_ELEMENTS = 64

/** All layers, subgraphs included, in graph order. */
export function layersOf(model: Model): readonly Layer[] {
  const layers = new Map<string, { op: string; parameters: number }>()
  mapGraphs(model.graph, (graph) => {
    for (const node of graph.nodes) {
      const parameters = node.inputs.reduce((n, name) => {
        const t = graph.constants.get(name)
        return t?.dtype === 'float32' ? n + elementCount(t.shape) : n
      }, 0)
      if (parameters >= MIN_ELEMENTS) layers.set(nodeKey(node), { op: node.op, parameters })
    }
    return graph
  })
  const macs = macsByName(model)
  const total = [...macs.values()].reduce((a, b) => a + b, 0)
  return [...layers].map(([key, layer]) => ({ key, ...layer, costShare: total > 0 ? (macs.get(key) ?? 0) / total : 0 }))
}

function macsByName(model: Model): ReadonlyMap<string, number> {
  const rows = inspectModel(model).layers
  return new Map(rows.map((row) => [row.name, row.macs ?? 0]))
}
