/**
 * Facts about values by name, as the passes ask for them. Types that a file states for values between its nodes may be
 * left over from an export with other sizes; an edit that trusts them could change what a model computes. So these
 * facts follow from the types of the model's inputs and from the ops alone.
 */

import { mapSubgraphs } from '../ir/graphs.js'
import type { Graph, Model } from '../ir/types.js'
import type { Fact } from '../ops/def.js'
import { factsOf } from './infer-shapes.js'

/** What is known about a value: null where nothing is, or where graphs of the model use the name for different things. */
export type FactOf = (name: string) => Fact | null

export const noFacts: FactOf = () => null

/** Facts about the values of a model. They stay true of an edited model as long as it does not reuse a name. */
export function factFinder(model: Model): FactOf {
  const found = new Map<string, { readonly fact: Fact | null; readonly key: string }>()
  for (const facts of factsOf(withoutStatements(model)).graphs.values()) {
    for (const [name, fact] of facts) {
      const key = JSON.stringify([fact.value, fact.content?.map((c) => (typeof c === 'number' ? [String(c)] : c))])
      const before = found.get(name)
      found.set(name, before === undefined || before.key === key ? { fact, key } : { fact: null, key: '' })
    }
  }
  return (name) => found.get(name)?.fact ?? null
}

/** The model without stated types but those of its inputs. */
function withoutStatements(model: Model): Model {
  const strip = (graph: Graph): Graph => ({
    ...graph,
    values: new Map(),
    nodes: graph.nodes.map((node) => mapSubgraphs(node, strip)),
  })
  const graph = strip(model.graph)
  const inputs = new Set(graph.inputs)
  const values = new Map([...model.graph.values].filter(([name]) => inputs.has(name)))
  return { ...model, graph: { ...graph, values }, functions: model.functions.map((f) => ({ ...f, values: new Map() })) }
}
