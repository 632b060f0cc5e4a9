/** Sweeping a graph: nodes, constants and types that no output needs go. Shared by passes that leave such things behind. */

import { definitions } from '../ir/edits.js'
import { mapSame, reads } from '../ir/graphs.js'
import type { Graph, Node } from '../ir/types.js'
import { findOp } from '../ops/index.js'

/**
 * What the outputs of one graph need (graphs inside it are taken as they are). Inputs stay, and so do constants that
 * are inputs' defaults. Optional outputs that nobody reads become '' where their op can do without them.
 */
export function sweep(graph: Graph): Graph {
  const needed = new Set([...graph.outputs, ...noteReads(graph)])
  const alive: Node[] = []
  let changed = false
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((out) => needed.has(out)) && !hasSideEffect(node)) {
      changed = true
      continue
    }
    const outputs = trimOutputs(node, needed)
    if (outputs !== node.outputs) changed = true
    for (const name of reads(node)) needed.add(name)
    alive.push(outputs === node.outputs ? node : { ...node, outputs })
  }
  const nodes = changed ? alive.reverse() : graph.nodes
  return forgetUnknown(dropConstants(nodes === graph.nodes ? graph : { ...graph, nodes }, needed))
}

/** Scales and zero points that quantization notes name: nothing else reads them. */
export const noteReads = ({ quantAnnotations = [] }: Graph): readonly string[] =>
  quantAnnotations.flatMap(({ parameters }) => [...parameters.values()])

/** An op of a custom domain without outputs may exist for what it does. */
const hasSideEffect = (node: Node): boolean =>
  node.domain !== '' && node.domain !== 'com.microsoft' && node.outputs.every((out) => out === '')

function trimOutputs(node: Node, needed: ReadonlySet<string>): readonly string[] {
  if (node.outputs.length < 2 || node.outputs.every((out) => out === '' || needed.has(out))) return node.outputs
  const def = findOp(node.domain, node.op)
  if (!def?.separable) return node.outputs
  const { outputs } = def.schema
  return mapSame(node.outputs, (out, i) => (outputs[i]?.kind === 'optional' && !needed.has(out) ? '' : out))
}

function dropConstants(graph: Graph, needed: ReadonlySet<string>): Graph {
  const inputs = new Set(graph.inputs)
  const keep = ([name]: readonly [string, unknown]) => needed.has(name) || inputs.has(name)
  const constants = new Map([...graph.constants].filter(keep))
  const sparse = graph.sparseConstants && new Map([...graph.sparseConstants].filter(keep))
  if (constants.size === graph.constants.size && sparse?.size === graph.sparseConstants?.size) return graph
  return { ...graph, constants, ...(sparse && { sparseConstants: sparse }) }
}

/** Types and quantization notes of names that the graph no longer has. */
function forgetUnknown(graph: Graph): Graph {
  const known = definitions(graph)
  for (const name of graph.outputs) known.add(name)
  const values = new Map([...graph.values].filter(([name]) => known.has(name)))
  const notes = graph.quantAnnotations?.filter(({ tensor }) => known.has(tensor))
  if (values.size === graph.values.size && notes?.length === graph.quantAnnotations?.length) return graph
  return { ...graph, values, ...(notes && { quantAnnotations: notes }) }
}
