/** An If whose condition is a constant becomes the nodes of the branch it takes. */

import { graphOf, subgraphs } from '../ir/attrs.js'
import { definitionCounts, definitions, renameDefinitions } from '../ir/edits.js'
import { mapInner } from '../ir/graphs.js'
import { numbers } from '../ir/tensor.js'
import type { Graph, Model, Node, Tensor, Value } from '../ir/types.js'
import { freshNames } from './names.js'
import { mapScopes } from './scope.js'
import { sweep } from './sweep.js'

/**
 * Values of the branch keep their names where no other graph has them, and get fresh ones elsewhere; nodes lose names
 * that others have, as the engine wants them to be unique in a graph.
 */
export function inlineIfs(model: Model): Model {
  const counts = definitionCounts(model.graph)
  const nodeNames = nodeNameCounts(model.graph)
  const fresh = freshNames(model)
  const names: Names = {
    value: (name) => ((counts.get(name) ?? 0) > 1 ? fresh(name) : name),
    node: (name) => ((nodeNames.get(name) ?? 0) > 1 ? '' : name),
  }
  return mapScopes(model, (graph, scope) => {
    const nodes: Node[] = []
    const constants = new Map(graph.constants)
    const values = new Map(graph.values)
    let sparse = graph.sparseConstants
    const around = definitions(graph)
    let changed = false
    for (const node of graph.nodes) {
      const branch = branchOf(node, scope.constant(node.inputs[0] ?? ''))
      if (branch === null) {
        nodes.push(node)
        continue
      }
      changed = true
      const inlined = adopt(apart(branch, around, fresh), node, names)
      nodes.push(...inlined.nodes)
      for (const [name, tensor] of inlined.constants) constants.set(name, tensor)
      for (const [name, value] of inlined.values) values.set(name, value)
      if (inlined.sparse.size > 0) sparse = new Map([...(sparse ?? []), ...inlined.sparse])
    }
    if (!changed) return graph
    return sweep({ ...graph, nodes, constants, values, ...(sparse && { sparseConstants: sparse }) })
  })
}

function branchOf(node: Node, condition: Tensor | null): Graph | null {
  if (node.op !== 'If' || node.domain !== '' || condition === null || condition.byteLength !== 1) return null
  return graphOf(node, numbers(condition)[0] ? 'then_branch' : 'else_branch') ?? null
}

/** New names for what an inlined branch brings along. */
interface Names {
  value(name: string): string
  node(name: string): string
}

function nodeNameCounts(graph: Graph, counts = new Map<string, number>()): Map<string, number> {
  for (const node of graph.nodes) {
    counts.set(node.name, (counts.get(node.name) ?? 0) + 1)
    for (const { graph: inner } of subgraphs(node)) nodeNameCounts(inner, counts)
  }
  return counts
}

interface Inlined {
  readonly nodes: readonly Node[]
  readonly constants: ReadonlyMap<string, Tensor>
  readonly sparse: NonNullable<Graph['sparseConstants']>
  readonly values: ReadonlyMap<string, Value>
}

/** The branch's content under names that fit into the graph around it, its outputs under the If's names. */
function adopt(branch: Graph, node: Node, names: Names): Inlined {
  const made = new Set(branch.nodes.flatMap((n) => n.outputs))
  const to = new Map<string, string>()
  const identities: Node[] = []
  branch.outputs.forEach((inner, i) => {
    const outer = node.outputs[i]
    if (outer && made.has(inner) && !to.has(inner)) to.set(inner, outer)
  })
  for (const name of definitions(branch)) if (!to.has(name)) to.set(name, names.value(name))
  branch.outputs.forEach((inner, i) => {
    const outer = node.outputs[i]
    const source = to.get(inner) ?? inner
    if (!outer || source === outer) return
    identities.push({ name: '', domain: '', op: 'Identity', inputs: [source], outputs: [outer], attrs: {} })
  })
  const outputs = new Set(node.outputs)
  const { nodes, constants, sparseConstants = new Map(), values } = renameDefinitions(branch, to)
  return {
    nodes: [...nodes.map((n) => ({ ...n, name: names.node(n.name) })), ...identities],
    constants,
    sparse: sparseConstants,
    // The If's outputs keep the types that the graph around it has for them.
    values: new Map([...values].filter(([name]) => !outputs.has(name))),
  }
}

/**
 * Graphs inside a branch come one level closer to the graph that takes it in: values of theirs that share a name with
 * one there get a fresh one. The engine refuses a graph that names a value as the one right around it does.
 */
function apart(branch: Graph, around: ReadonlySet<string>, fresh: (name: string) => string): Graph {
  return mapInner(branch, (inner) => {
    const to = new Map([...definitions(inner)].filter((name) => around.has(name)).map((name) => [name, fresh(name)]))
    return apart(to.size === 0 ? inner : renameDefinitions(inner, to), around, fresh)
  })
}
