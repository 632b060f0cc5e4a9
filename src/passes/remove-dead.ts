/** Removes what no output needs: nodes, constants, noted types, functions, imports of domains that nothing uses. */

import { subgraphs } from '../ir/attrs.js'
import { mapFunctions } from '../ir/edits.js'
import { mapGraphs, withGraph } from '../ir/graphs.js'
import type { Func, Model, Node } from '../ir/types.js'
import type { Pass } from './pass.js'
import { sweep } from './sweep.js'

export const removeDead: Pass = {
  name: 'remove-dead',
  run: async (model) => dropImports(dropFunctions(mapFunctions(dropListed(sweepGraphs(model)), sweep))),
}

const sweepGraphs = (model: Model): Model => withGraph(model, mapGraphs(model.graph, sweep))

/** Up to IR version 3 constants are listed as inputs, so that the sweep keeps them; unread ones go, with their listing. */
function dropListed(model: Model): Model {
  const { graph, irVersion } = model
  if (irVersion >= 4) return model
  const dynamic = graph.inputs.filter((name) => !graph.constants.has(name))
  const swept = sweep({ ...graph, inputs: dynamic })
  if (swept.constants.size === graph.constants.size) return model
  const inputs = graph.inputs.filter((name) => !graph.constants.has(name) || swept.constants.has(name))
  const listed = new Set(inputs)
  const values = new Map([...graph.values].filter(([name]) => swept.values.has(name) || listed.has(name)))
  return { ...model, graph: { ...swept, inputs, values } }
}

const keyOf = (domain: string, name: string, overload = ''): string => `${domain}\0${name}\0${overload}`

function dropFunctions(model: Model): Model {
  if (model.functions.length === 0) return model
  const byKey = new Map(model.functions.map((f) => [keyOf(f.domain, f.name, f.overload), f]))
  const used = new Set<Func>()
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      for (const { graph } of subgraphs(node)) visit(graph.nodes)
      const func = byKey.get(keyOf(node.domain, node.op, node.overload))
      if (func === undefined || used.has(func)) continue
      used.add(func)
      visit(func.nodes)
    }
  }
  visit(model.graph.nodes)
  if (used.size === byKey.size) return model
  return { ...model, functions: model.functions.filter((f) => used.has(f)) }
}

function dropImports(model: Model): Model {
  const used = new Set(['', 'ai.onnx'])
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      used.add(node.domain)
      for (const { graph } of subgraphs(node)) visit(graph.nodes)
    }
  }
  visit(model.graph.nodes)
  for (const func of model.functions) {
    used.add(func.domain)
    for (const domain of func.opsets.keys()) used.add(domain)
    visit(func.nodes)
  }
  const opsets = new Map([...model.opsets].filter(([domain]) => used.has(domain)))
  return opsets.size === model.opsets.size ? model : { ...model, opsets }
}
