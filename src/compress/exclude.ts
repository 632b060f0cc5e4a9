/**
 * The nodes that are to stay in float, by the names that the user knows: those of the model as it was given. What is
 * compressed is the prepared model, in which a product and the addition behind it may have become one node.
 */

import { subgraphs } from '../ir/attrs.js'
import { consumers, nodeKey, producers } from '../ir/graphs.js'
import type { Graph, Model, Node } from '../ir/types.js'
import { isStandard } from '../passes/standard-domain.js'
import { PareError } from '../util/errors.js'

/** Nodes that others are made a part of, when a model is prepared. */
const ABSORBS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul'])

/**
 * Keys of nodes of the prepared model. A name of a node that is no longer there stands for the node that makes its
 * value now, if there is one. Throws `PARAM_INVALID` for names that no node ever had.
 */
export function resolveExcluded(names: readonly string[], given: Model, prepared: Model): readonly string[] {
  const before = graphsOf(given.graph)
  const after = graphsOf(prepared.graph)
  const keys = new Set(after.flatMap((g) => g.nodes.map(nodeKey)))
  const resolved = names.flatMap((name) => {
    if (keys.has(name)) return [name]
    const homes = before.filter((g) => g.nodes.some((n) => nodeKey(n) === name))
    if (homes.length === 0) throw unknown(name, [...keys, ...before.flatMap((g) => g.nodes.map(nodeKey))])
    return homes.flatMap((graph) =>
      graph.nodes.filter((n) => nodeKey(n) === name).flatMap((node) => successor(node, graph, after) ?? []),
    )
  })
  return [...new Set(resolved)]
}

/** The key of the prepared node that makes what the given one made, alone or with those that it was joined with. */
function successor(node: Node, graph: Graph, after: readonly Graph[]): string | null {
  const readers = consumers(graph)
  const makers = after.map(producers)
  for (let at: Node | undefined = node; at !== undefined; ) {
    const out: string = at.outputs[0] ?? ''
    const maker = makers.map((of) => of.get(out)).find((n) => n !== undefined)
    if (maker !== undefined) return nodeKey(maker)
    const next: readonly Node[] = readers.get(out) ?? []
    const isJoined = isStandard(node.domain) && ABSORBS.has(node.op) && next.length === 1
    at = isJoined ? next[0] : undefined
  }
  return null
}

const graphsOf = (graph: Graph): readonly Graph[] => [
  graph,
  ...graph.nodes.flatMap((node) => subgraphs(node).flatMap(({ graph: inner }) => graphsOf(inner))),
]

function unknown(name: string, keys: readonly string[]): PareError {
  const near = [...new Set(keys)]
    .map((key) => ({ key, score: likeness(name, key) }))
    .filter(({ score }) => score > 0.4)
    .sort((a, b) => b.score - a.score)
    .slice(0, 3)
  const some =
    near.length > 0 ? `Near it: ${near.map(({ key }) => key).join(', ')}.` : 'See `pare inspect` for the names.'
  const what = 'there is no node of this name'
  return new PareError('PARAM_INVALID', what, { where: 'exclude', value: name, remedy: some })
}

/** The share of the pairs of neighbouring characters that two names have in common: 1 for equal names, 0 for strangers. */
function likeness(a: string, b: string): number {
  const [one, two] = [pairsOf(a), pairsOf(b)]
  const common = [...one].filter((pair) => two.has(pair)).length
  return (2 * common) / Math.max(1, one.size + two.size)
}

const pairsOf = (name: string): ReadonlySet<string> => {
  const text = ` ${name.toLowerCase()} `
  return new Set(Array.from({ length: text.length - 1 }, (_, i) => text.slice(i, i + 2)))
}
