/** The standard domain has two spellings, '' and `ai.onnx`; files may use either, or both. */

import { mapSame, mapSubgraphs } from '../ir/graphs.js'
import type { Graph, Model, Node } from '../ir/types.js'

const OTHER = 'ai.onnx'

export const isStandard = (domain: string): boolean => domain === '' || domain === OTHER

/** The version of the standard domain; 0 where it is not imported. */
export const standardOpset = (opsets: ReadonlyMap<string, number>): number => opsets.get('') ?? opsets.get(OTHER) ?? 0

/** The model with the standard domain spelled '' throughout; the same model where it is. */
export function spellStandardDomain(model: Model): Model {
  const graph = respell(model.graph)
  const opsets = respellImports(model.opsets)
  const functions = mapSame(model.functions, (func) => {
    const own = respellImports(func.opsets)
    const nodes = mapSame(func.nodes, respellNode)
    return own === func.opsets && nodes === func.nodes ? func : { ...func, opsets: own, nodes }
  })
  const same = graph === model.graph && opsets === model.opsets && functions === model.functions
  return same ? model : { ...model, graph, opsets, functions }
}

function respell(graph: Graph): Graph {
  const nodes = mapSame(graph.nodes, respellNode)
  return nodes === graph.nodes ? graph : { ...graph, nodes }
}

function respellNode(node: Node): Node {
  const next = mapSubgraphs(node, respell)
  return next.domain === OTHER ? { ...next, domain: '' } : next
}

function respellImports(opsets: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  if (!opsets.has(OTHER)) return opsets
  return new Map([['', standardOpset(opsets)], ...[...opsets].filter(([domain]) => domain !== OTHER && domain !== '')])
}
