/**
 * Takes out of a file what only describes it: types of inner values (an engine infers them), comments on nodes and
 * tensors, and long names of inner values (an exporter's paths, repeated at every use). Names of inputs, outputs and
 * nodes stay, and so does the model's own metadata. In small models this is a tenth of the file.
 */

import { subgraphs } from '../ir/attrs.js'
import { mapSame, mapSubgraphs } from '../ir/graphs.js'
import type { Annotated, Graph, Model, Node, Tensor } from '../ir/types.js'
import type { Pass } from './pass.js'

export const compact: Pass = {
  name: 'compact',
  run: async (model) => {
    const names = shortNames(model)
    const graph = compactGraph(model.graph, names, true)
    return graph === model.graph ? model : { ...model, graph }
  },
}

type Names = ReadonlyMap<string, string>

const NONE: Names = new Map()

/**
 * One short name for each inner name, over all graphs, in order of appearance: equal names stay equal. None where the
 * names that are there take no more room.
 */
function shortNames(model: Model): Names {
  const kept = new Set([...model.graph.inputs, ...model.graph.outputs])
  const names = new Map<string, string>()
  let next = 0
  let saved = 0
  const add = (name: string): void => {
    if (name === '' || kept.has(name)) return
    if (!names.has(name)) {
      let short = label(next++)
      while (kept.has(short)) short = label(next++)
      names.set(name, short)
    }
    saved += name.length - names.get(name)!.length
  }
  const visit = (graph: Graph): void => {
    for (const name of [...graph.inputs, ...graph.constants.keys(), ...(graph.sparseConstants?.keys() ?? [])]) add(name)
    for (const node of graph.nodes) {
      for (const name of [...node.inputs, ...node.outputs]) add(name)
      for (const { graph: inner } of subgraphs(node)) visit(inner)
    }
    for (const name of graph.outputs) add(name)
  }
  visit(model.graph)
  return saved > 0 ? names : NONE
}

/** 0 → a, 25 → z, 26 → a0, …: a letter first, then base 36. */
function label(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26))
  const rest = Math.floor(index / 26)
  return rest === 0 ? letter : letter + (rest - 1).toString(36)
}

function compactGraph(graph: Graph, names: Names, isMain: boolean): Graph {
  const short = (name: string): string => names.get(name) ?? name
  const listed = new Set([...graph.inputs, ...graph.outputs])
  const nodes = mapSame(graph.nodes, (node) => compactNode(node, names))
  const values = [...graph.values].filter(([name]) => listed.has(name))
  const renamed = [...graph.constants.keys(), ...graph.inputs, ...graph.outputs].some((name) => short(name) !== name)
  const documented = [...graph.constants.values()].some((t) => t.doc !== undefined)
  const same =
    nodes === graph.nodes &&
    values.length === graph.values.size &&
    !renamed &&
    !documented &&
    (isMain || graph.doc === undefined)
  if (same) return graph
  return {
    ...(isMain ? graph : withoutDoc(graph)),
    inputs: graph.inputs.map(short),
    outputs: graph.outputs.map(short),
    nodes,
    constants: new Map([...graph.constants].map(([name, t]) => [short(name), withoutDoc<Tensor>(t)])),
    ...(graph.sparseConstants && {
      sparseConstants: new Map([...graph.sparseConstants].map(([name, t]) => [short(name), t])),
    }),
    values: new Map(values.map(([name, value]) => [short(name), value])),
    ...(graph.quantAnnotations && {
      quantAnnotations: graph.quantAnnotations.map((a) => ({
        ...a,
        tensor: short(a.tensor),
        parameters: new Map([...a.parameters].map(([key, name]) => [key, short(name)])),
      })),
    }),
  }
}

function compactNode(node: Node, names: Names): Node {
  const short = (name: string): string => names.get(name) ?? name
  const inputs = mapSame(node.inputs, short)
  const outputs = mapSame(node.outputs, short)
  const next = mapSubgraphs(node, (graph) => compactGraph(graph, names, false))
  if (inputs === node.inputs && outputs === node.outputs && next === node && node.doc === undefined) return node
  return { ...withoutDoc(next), inputs, outputs }
}

function withoutDoc<T extends Annotated>(item: T): T {
  if (item.doc === undefined) return item
  const { doc: _, ...rest } = item
  return rest as T
}
