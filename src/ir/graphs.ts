/** Questions about graphs and edits of them. All pure: an edit returns a new graph that shares what did not change. */

import { subgraphs } from './attrs.js'
import type { Attr, Graph, Model, Node } from './types.js'

/** Names that a node reads, those that its subgraphs capture from outside among them. */
export function reads(node: Node): readonly string[] {
  const inner = subgraphs(node)
  return inner.length === 0 ? node.inputs : [...node.inputs, ...inner.flatMap(({ graph }) => captures(graph))]
}

/** Names that a graph takes from the graphs around it. */
function captures(graph: Graph): readonly string[] {
  const own = new Set<string>([...graph.inputs, ...graph.constants.keys(), ...(graph.sparseConstants?.keys() ?? [])])
  for (const node of graph.nodes) for (const out of node.outputs) own.add(out)
  const outside = new Set<string>()
  const see = (name: string) => name !== '' && !own.has(name) && outside.add(name)
  for (const node of graph.nodes) for (const name of reads(node)) see(name)
  for (const name of graph.outputs) see(name)
  return [...outside]
}

/** Nodes by the value they read (captures by subgraphs count). */
export function consumers(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const map = new Map<string, Node[]>()
  for (const node of graph.nodes) {
    for (const name of new Set(reads(node))) {
      if (name === '') continue
      const list = map.get(name)
      if (list) list.push(node)
      else map.set(name, [node])
    }
  }
  return map
}

/** The node that makes each value. */
export function producers(graph: Graph): ReadonlyMap<string, Node> {
  const map = new Map<string, Node>()
  for (const node of graph.nodes) for (const out of node.outputs) if (out !== '') map.set(out, node)
  return map
}

/** Every name in use in a graph and the graphs inside it. */
export function allNames(graph: Graph): Set<string> {
  const names = new Set<string>([
    ...graph.inputs,
    ...graph.outputs,
    ...graph.constants.keys(),
    ...graph.values.keys(),
    ...(graph.sparseConstants?.keys() ?? []),
  ])
  for (const node of graph.nodes) {
    names.add(node.name)
    for (const n of node.inputs) names.add(n)
    for (const n of node.outputs) names.add(n)
    for (const { graph: inner } of subgraphs(node)) for (const n of allNames(inner)) names.add(n)
  }
  return names
}

/** `map` that returns the same array where no element changed. */
export function mapSame<T>(list: readonly T[], edit: (item: T, index: number) => T): readonly T[] {
  let changed = false
  const next = list.map((item, i) => {
    const out = edit(item, i)
    if (out !== item) changed = true
    return out
  })
  return changed ? next : list
}

/** Applies `edit` to every graph of a model, innermost first; the same object where nothing changed. Not functions. */
export const mapGraphs = (graph: Graph, edit: (graph: Graph) => Graph): Graph =>
  edit(mapInner(graph, (inner) => mapGraphs(inner, edit)))

/** Applies `edit` to the graphs directly inside a graph's nodes; the same graph where none changed. */
export function mapInner(graph: Graph, edit: (graph: Graph) => Graph): Graph {
  const nodes = mapSame(graph.nodes, (node) => mapSubgraphs(node, edit))
  return nodes === graph.nodes ? graph : { ...graph, nodes }
}

/** Applies `edit` to the graphs directly inside a node; the same node where none changed. */
export function mapSubgraphs(node: Node, edit: (graph: Graph) => Graph): Node {
  if (subgraphs(node).length === 0) return node
  let changed = false
  const once = (graph: Graph): Graph => {
    const next = edit(graph)
    if (next !== graph) changed = true
    return next
  }
  const within = (a: Attr): Attr =>
    a.type === 'graph' ? { ...a, value: once(a.value) } : a.type === 'graphs' ? { ...a, value: a.value.map(once) } : a
  const attrs = Object.fromEntries(Object.entries(node.attrs).map(([name, a]) => [name, within(a)]))
  return changed ? { ...node, attrs } : node
}

export const withGraph = (model: Model, graph: Graph): Model => (graph === model.graph ? model : { ...model, graph })

/** Topological order; null where the graph has a cycle. Stable: nodes that are already sorted keep their order. */
export function sortNodes(nodes: readonly Node[]): readonly Node[] | null {
  const maker = new Map<string, number>()
  nodes.forEach((node, i) => {
    for (const out of node.outputs) if (out !== '') maker.set(out, i)
  })
  const state = new Uint8Array(nodes.length)
  const order: Node[] = []
  for (let root = 0; root < nodes.length; root++) {
    if (state[root] === 2) continue
    const stack: { i: number; deps: number[]; next: number }[] = []
    const enter = (i: number) => {
      state[i] = 1
      const deps = reads(nodes[i]!).flatMap((name) => maker.get(name) ?? [])
      stack.push({ i, deps, next: 0 })
    }
    enter(root)
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!
      if (top.next === top.deps.length) {
        state[top.i] = 2
        order.push(nodes[top.i]!)
        stack.pop()
        continue
      }
      const dep = top.deps[top.next++]!
      if (state[dep] === 1) return null
      if (state[dep] === 0) enter(dep)
    }
  }
  return order
}

/** What a node is called where it must be told from others: its name, or its first output where it has none. */
export const nodeKey = (node: Node): string => (node.name !== '' ? node.name : (node.outputs[0] ?? ''))
