/** A scratch pad for rewriting one graph: collects nodes and constants, gives fresh names, shares equal constants. */

import type { Grid } from '../../grids/affine.js'
import { int, subgraphs } from '../../ir/attrs.js'
import { renameReads } from '../../ir/edits.js'
import { sortNodes } from '../../ir/graphs.js'
import { elements, f32, tensor } from '../../ir/tensor.js'
import type { Attr, Graph, Model, Node, Tensor } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'

export interface Rewriter {
  readonly graph: Graph
  /** A name that no graph around or inside has. */
  fresh(hint: string): string
  constant(tensor: Tensor, hint: string): string
  node(
    op: string,
    inputs: readonly string[],
    output: string,
    attrs?: Readonly<Record<string, Attr>>,
    domain?: string,
  ): string
  /** The same of several outputs. */
  nodes(op: string, inputs: readonly string[], outputs: readonly string[]): readonly string[]
  /** Replaces a node of the original graph (by identity). */
  replace(old: Node, ...nodes: readonly Node[]): void
  /** Lets everything that reads `from` (in this graph and the graphs inside it) read `to`. */
  rename(from: string, to: string): void
  /** The new graph, sorted; constants that nothing reads any more are dropped by `remove-dead`. */
  finish(): Graph
}

export function rewriter(graph: Graph, fresh: (hint: string) => string): Rewriter {
  const constants = new Map(graph.constants)
  const shared = new Map<string, string>()
  const added: Node[] = []
  const replaced = new Map<Node, readonly Node[]>()
  const renames = new Map<string, string>()

  return {
    graph,
    fresh,
    constant(t, hint) {
      const key = t.byteLength <= 16 ? `${t.dtype}[${t.shape}]${elements(t).join()}` : undefined
      const known = key === undefined ? undefined : shared.get(key)
      if (known !== undefined) return known
      const name = fresh(hint)
      constants.set(name, t)
      if (key !== undefined) shared.set(key, name)
      return name
    },
    node(op, inputs, output, attrs = {}, domain = '') {
      added.push({ name: '', domain, op, inputs, outputs: [output], attrs })
      return output
    },
    nodes(op, inputs, outputs) {
      added.push({ name: '', domain: '', op, inputs, outputs, attrs: {} })
      return outputs
    },
    replace(old, ...nodes) {
      replaced.set(old, nodes)
    },
    rename(from, to) {
      renames.set(from, to)
    },
    finish() {
      const kept = graph.nodes.flatMap((n) => replaced.get(n) ?? [n])
      const nodes = [...(renames.size === 0 ? kept : kept.map((n) => renameReads(n, renames))), ...added]
      const sorted = sortNodes(nodes)
      if (sorted === null) {
        throw new PareError('REWRITE_CYCLE', 'the rewritten graph has a cycle', {
          where: graph.name,
          remedy: 'This is a defect of pare: please report it with the model.',
        })
      }
      return { ...graph, nodes: sorted, constants }
    },
  }
}

/**
 * Scale and zero point as inputs of Q and DQ. A zero point of uint8 0 is the default, but ONNX Runtime 1.30 breaks graphs
 * that leave it out ("not a graph input, initializer, or output of a previous node"). Weights may do without.
 */
export function gridInputs(r: Rewriter, g: Grid): readonly string[] {
  const scale = r.constant(f32([], [g.scale]), 's')
  const zero =
    g.dtype === 'uint8'
      ? tensor('uint8', [], Uint8Array.of(g.zeroPoint))
      : tensor('int8', [], Int8Array.of(g.zeroPoint))
  return [scale, r.constant(zero, 'z')]
}

export const axisAttr = (axis: number | null): Readonly<Record<string, Attr>> =>
  axis === null ? {} : { axis: int(axis) }

/** The same node with one input exchanged. */
export const withInput = (node: Node, index: number, name: string): Node => ({
  ...node,
  inputs: node.inputs.map((old, i) => (i === index ? name : old)),
})

/** Whether `test` holds for a graph or one of those inside it. */
export const someGraph = (graph: Graph, test: (graph: Graph) => boolean): boolean =>
  test(graph) || graph.nodes.some((node) => subgraphs(node).some(({ graph: inner }) => someGraph(inner, test)))

/** The model with the domain among its opsets where some node of the main graph or its subgraphs uses it. */
export function withOpset(model: Model, domain: string, version: number): Model {
  if (model.opsets.has(domain)) return model
  const used = someGraph(model.graph, (graph) => graph.nodes.some((n) => n.domain === domain))
  return used ? { ...model, opsets: new Map([...model.opsets, [domain, version]]) } : model
}
