/**
 * Edits that rename and remove values. All respect captures: a name that a subgraph reads from outside is
 * renamed there too, and a name that a subgraph defines for itself is left alone.
 */

import { subgraphs } from './attrs.js'
import { mapSame, mapSubgraphs, producers } from './graphs.js'
import type { Func, Graph, Model, Node, Tensor } from './types.js'

/** Names that a graph itself defines: inputs, constants, node outputs. Not those of graphs inside it. */
export function definitions(graph: Graph): Set<string> {
  const names = new Set<string>([...graph.inputs, ...graph.constants.keys(), ...(graph.sparseConstants?.keys() ?? [])])
  for (const node of graph.nodes) for (const out of node.outputs) if (out !== '') names.add(out)
  return names
}

/** How often each name is defined in a graph and all graphs inside it; above 1 where sibling graphs reuse a name. */
export function definitionCounts(graph: Graph, counts = new Map<string, number>()): Map<string, number> {
  for (const name of definitions(graph)) counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const node of graph.nodes) for (const { graph: inner } of subgraphs(node)) definitionCounts(inner, counts)
  return counts
}

/** A node whose reads (its subgraphs' captures among them) are renamed; the same node where it reads none of them. */
export function renameReads(node: Node, to: ReadonlyMap<string, string>): Node {
  if (to.size === 0) return node
  const next = node.inputs.some((n) => to.has(n)) ? { ...node, inputs: node.inputs.map((n) => to.get(n) ?? n) } : node
  return mapSubgraphs(next, (inner) => renameCaptures(inner, to))
}

function renameCaptures(graph: Graph, to: ReadonlyMap<string, string>): Graph {
  const own = definitions(graph)
  const visible = new Map([...to].filter(([name]) => !own.has(name)))
  const nodes = mapSame(graph.nodes, (node) => renameReads(node, visible))
  const outputs = mapSame(graph.outputs, (name) => visible.get(name) ?? name)
  return nodes === graph.nodes && outputs === graph.outputs ? graph : { ...graph, nodes, outputs }
}

/** A graph whose own definitions are renamed, with all that reads them. What it captures keeps its name. */
export function renameDefinitions(graph: Graph, to: ReadonlyMap<string, string>): Graph {
  const renamed = (name: string) => to.get(name) ?? name
  const keys = <T>(map: ReadonlyMap<string, T>) => new Map([...map].map(([name, item]) => [renamed(name), item]))
  const { sparseConstants, quantAnnotations } = graph
  return {
    ...graph,
    inputs: graph.inputs.map(renamed),
    outputs: graph.outputs.map(renamed),
    nodes: graph.nodes.map((node) => ({ ...renameReads(node, to), outputs: node.outputs.map(renamed) })),
    constants: keys(graph.constants),
    ...(sparseConstants && { sparseConstants: keys(sparseConstants) }),
    values: keys(graph.values),
    ...(quantAnnotations && {
      quantAnnotations: quantAnnotations.map((q) => ({
        ...q,
        tensor: renamed(q.tensor),
        parameters: new Map([...q.parameters].map(([key, name]) => [key, renamed(name)])),
      })),
    }),
  }
}

/**
 * Makes readers of each key of `same` read its value instead, which must be equal and come earlier. The node that
 * makes a key goes where all its outputs are keys or unused by name; where the key is an output of the graph, the
 * earlier value takes over its name, or, where it cannot (an input, a constant, an output itself), the node stays
 * as an Identity. The same graph where that changes nothing.
 */
export function bypass(graph: Graph, same: ReadonlyMap<string, string>): Graph {
  const maker = producers(graph)
  const inner = innerDefinitions(graph)

  const root = (name: string): string => {
    let at = name
    for (let next = same.get(at); next !== undefined; next = same.get(at)) at = next
    return at
  }
  const outputs = new Set(graph.outputs)
  const newName = new Map<string, string>()
  const kept = new Set<string>()
  for (const name of same.keys()) {
    if (!outputs.has(name)) continue
    const source = root(name)
    const free = maker.has(source) && !outputs.has(source) && !newName.has(source)
    if (free && !inner.has(name)) newName.set(source, name)
    else kept.add(name)
  }
  const to = new Map<string, string>(newName)
  for (const name of same.keys()) {
    const source = root(name)
    const target = newName.get(source) ?? source
    if (inner.has(target)) kept.add(name)
    else to.set(name, target)
  }

  const nodes: Node[] = []
  let changed = false
  for (const node of graph.nodes) {
    const keys = node.outputs.filter((out) => same.has(out))
    const read = renameReads(node, to)
    if (keys.length === 0) {
      const outs = mapSame(node.outputs, (out) => newName.get(out) ?? out)
      nodes.push(outs === node.outputs ? read : { ...read, outputs: outs })
      if (nodes.at(-1) !== node) changed = true
      continue
    }
    for (const key of keys.filter((k) => kept.has(k))) {
      const source = root(key)
      const input = newName.get(source) ?? source
      if (isIdentity(node) && node.inputs[0] === input) nodes.push(node)
      else {
        const name = nodes.at(-1)?.name === node.name ? '' : node.name
        nodes.push({ name, domain: '', op: 'Identity', inputs: [input], outputs: [key], attrs: {} })
      }
    }
    if (nodes.at(-1) !== node) changed = true
  }
  if (!changed) return graph
  return dropValues({ ...graph, nodes }, (name) => newName.has(name) || (same.has(name) && !outputs.has(name)))
}

const isIdentity = (node: Node): boolean => node.op === 'Identity' && node.domain === ''

/** Names that the graphs inside a graph define, at any depth. There, a name of the graph around may mean another value. */
export function innerDefinitions(graph: Graph, names = new Set<string>()): Set<string> {
  for (const node of graph.nodes) {
    for (const { graph: inner } of subgraphs(node)) {
      for (const name of definitions(inner)) names.add(name)
      innerDefinitions(inner, names)
    }
  }
  return names
}

/** Forgets the types of the named values. */
export function dropValues(graph: Graph, gone: (name: string) => boolean): Graph {
  const values = new Map([...graph.values].filter(([name]) => !gone(name)))
  return values.size === graph.values.size ? graph : { ...graph, values }
}

/** Adds or replaces constants; types noted for their names are forgotten, as the tensor tells them. */
export function withConstants(graph: Graph, added: ReadonlyMap<string, Tensor>): Graph {
  if (added.size === 0) return graph
  const keep = new Set([...graph.inputs, ...graph.outputs])
  return dropValues(
    { ...graph, constants: new Map([...graph.constants, ...added]) },
    (name) => added.has(name) && !keep.has(name),
  )
}

/** A function's body as a graph, so that edits of graphs serve functions too. */
export const bodyOf = (func: Func): Graph => ({
  name: func.name,
  inputs: func.inputs,
  outputs: func.outputs,
  nodes: func.nodes,
  constants: new Map(),
  values: func.values,
})

/** Applies an edit to every function's body. The edit must not add constants, which functions cannot hold. */
export function mapFunctions(model: Model, edit: (body: Graph, func: Func) => Graph): Model {
  const functions = mapSame(model.functions, (func) => {
    const body = bodyOf(func)
    const next = edit(body, func)
    return next === body ? func : { ...func, nodes: next.nodes, values: next.values }
  })
  return functions === model.functions ? model : { ...model, functions }
}
