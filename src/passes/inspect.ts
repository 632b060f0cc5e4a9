/**
 * What is in a model, as plain JSON: its interface, its weights, and for each layer what it costs. Weights that two
 * nodes share count once, at the first of them; a weight that reaches its layer through nodes that depend on
 * constants alone (Transpose, Cast, DequantizeLinear) counts at that layer.
 */

import { describeNode, subgraphs } from '../ir/attrs.js'
import { elementCount } from '../ir/tensor.js'
import type { Dim, Graph, Model, Node, Tensor, Value } from '../ir/types.js'
import { findOp } from '../ops/index.js'
import { type FactOptions, type Facts, factsOf } from './infer-shapes.js'
import { symbolsOf } from './with-shapes.js'

export interface InspectOptions extends Omit<FactOptions, 'useDefaults'> {
  /** Size of the file (and its external data), where known. */
  readonly fileBytes?: number
  /** How many layers `heavy` lists. Default 10. */
  readonly top?: number
}

export interface ValueRow {
  readonly name: string
  /** Element type, or what it is if it is no tensor: `sequence`, `map` … */
  readonly type: string
  readonly shape: readonly Dim[] | null
}

export interface LayerRow {
  /** Nodes around it, outermost first, each with the branch or body: `If_3.then_branch`. */
  readonly path: readonly string[]
  readonly name: string
  /** With its domain, where that is not the standard one: `com.microsoft.FusedConv`. */
  readonly op: string
  readonly output: ValueRow | null
  /** Elements of its weights that no row above has counted. */
  readonly parameters: number
  /** Bytes of its constants that no row above has counted. */
  readonly bytes: number
  /** In one run of the model; null where unknown. Of the branches of an If, each as if it were taken. */
  readonly macs: number | null
  /** Parts of the model's known MACs and of its bytes, 0 to 1. */
  readonly macShare: number | null
  readonly byteShare: number
}

export interface UnknownCost {
  readonly path: readonly string[]
  readonly name: string
  readonly op: string
  readonly why: 'no record of the op' | 'no convention counts it' | 'sizes unknown' | 'number of runs unknown'
}

export interface Inspection {
  readonly inputs: readonly ValueRow[]
  readonly outputs: readonly ValueRow[]
  readonly irVersion: number
  readonly opsets: Readonly<Record<string, number>>
  readonly producer: string
  readonly metadata: Readonly<Record<string, string>>
  readonly fileBytes: number | null
  readonly nodes: number
  /** Elements of the constants; tensors of whole numbers of 64 bits, bools and strings compute shapes and do not count. */
  readonly parameters: number
  readonly weightBytes: number
  /** Products in one run, of the nodes where they are known; of an If, the dearer branch. */
  readonly macs: number
  readonly unknownMacs: readonly UnknownCost[]
  /** Open dimensions that were taken as 1 to count products. */
  readonly assumed: Readonly<Record<string, number>>
  /** Nodes by op, those in subgraphs and in functions' bodies included. */
  readonly ops: Readonly<Record<string, number>>
  /** Ops that pare has no record of: they are carried along untouched. */
  readonly unknownOps: readonly string[]
  /** Every node that has weights of its own or costs products, or may: in the order of the file. */
  readonly layers: readonly LayerRow[]
  /** Indices into `layers`, the dearest first, each with the part of the whole that it and those before it make up. */
  readonly heavy: { readonly macs: readonly Heavy[]; readonly bytes: readonly Heavy[] }
  readonly problems: readonly string[]
  /** Inside branches of an If, by its name: no fault where the branch is not taken with these sizes. */
  readonly branchProblems: Readonly<Record<string, readonly string[]>>
}

export interface Heavy {
  readonly layer: number
  readonly share: number
  readonly cumulative: number
}

/** Pure; reads no weights. Errors as for `factsOf`. */
export function inspectModel(model: Model, options: InspectOptions = {}): Inspection {
  const facts = factsOf(model, { ...options, useDefaults: true })
  const assumed = openSymbols(model, facts)
  const named = Object.keys(assumed).length > 0
  const counted = named
    ? factsOf(model, { ...options, useDefaults: true, dims: { ...options.dims, ...assumed } })
    : facts
  const rows: Raw[] = []
  const functions = new Set(model.functions.map((f) => (f.domain === '' ? f.name : `${f.domain}.${f.name}`)))
  const walk: Walk = {
    counted,
    facts,
    functions,
    seen: new Set(),
    rows,
    unknown: [],
    ops: {},
    unknownOps: new Set(),
    nodes: 0,
  }
  const macs = visitGraph(model.graph, [], 1, new Map(), walk)
  for (const f of model.functions) for (const node of f.nodes) countOp(node, walk)
  const all = allConstants(model)
  const weightBytes = all.reduce((n, t) => n + t.byteLength, 0)
  const layers = rows.map((r) => ({
    ...r,
    macShare: r.macs === null || macs === 0 ? null : r.macs / macs,
    byteShare: weightBytes === 0 ? 0 : r.bytes / weightBytes,
  }))
  return {
    inputs: model.graph.inputs
      .filter((name) => !model.graph.constants.has(name))
      .map((name) => valueRow(name, facts, model.graph)),
    outputs: model.graph.outputs.map((name) => valueRow(name, facts, model.graph)),
    irVersion: model.irVersion,
    opsets: Object.fromEntries(model.opsets),
    producer: [model.producer.name, model.producer.version].filter((s) => s !== '').join(' '),
    metadata: Object.fromEntries(model.metadata),
    fileBytes: options.fileBytes ?? null,
    nodes: walk.nodes,
    parameters: all.reduce((n, t) => n + parametersOf(t), 0),
    weightBytes,
    macs,
    unknownMacs: walk.unknown,
    assumed,
    ops: Object.fromEntries(Object.entries(walk.ops).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
    unknownOps: [...walk.unknownOps].sort(),
    layers,
    heavy: {
      macs: heaviest(layers, (r) => r.macShare ?? 0, options.top ?? 10),
      bytes: heaviest(layers, (r) => r.byteShare, options.top ?? 10),
    },
    problems: facts.problems.map((p) => p.message),
    branchProblems: Object.fromEntries(
      [...facts.branchProblems].map(([name, found]) => [name, found.map((p) => p.message)]),
    ),
  }
}

type Raw = Omit<LayerRow, 'macShare' | 'byteShare'>

interface Walk {
  /** Facts for counting products, and those for showing shapes. */
  readonly counted: Facts
  readonly facts: Facts
  /** Names of model-local functions: they need no record. */
  readonly functions: ReadonlySet<string>
  readonly seen: Set<Tensor>
  readonly rows: Raw[]
  readonly unknown: UnknownCost[]
  readonly ops: Record<string, number>
  readonly unknownOps: Set<string>
  nodes: number
}

const opName = ({ domain, op }: Node): string => (domain === '' ? op : `${domain}.${op}`)

function countOp(node: Node, walk: Walk): void {
  if (findOp(node.domain, node.op) === undefined && !walk.functions.has(opName(node))) walk.unknownOps.add(opName(node))
  walk.ops[opName(node)] = (walk.ops[opName(node)] ?? 0) + 1
}

/** Symbols of the inputs that are still open, as 1. */
function openSymbols(model: Model, facts: Facts): Record<string, number> {
  const open = new Set<string>()
  for (const name of model.graph.inputs) {
    const value = facts.graphs.get(model.graph)?.get(name)?.value
    if (value?.kind === 'tensor') for (const d of value.shape ?? []) if (typeof d === 'string') open.add(d)
  }
  return Object.fromEntries(symbolsOf(model).flatMap((s) => (open.has(s) ? [[s, 1]] : [])))
}

/** Constants that a value is made of, nothing else going in. */
type Held = Map<string, readonly Tensor[]>

/** Adds the rows of a graph that runs `times` times; gives the products that are known. */
function visitGraph(graph: Graph, path: readonly string[], times: number | null, outer: Held, walk: Walk): number {
  const held: Held = new Map(outer)
  for (const name of graph.inputs) held.delete(name)
  for (const [name, t] of graph.constants) held.set(name, [t])
  let total = 0
  for (const node of graph.nodes) {
    walk.nodes++
    countOp(node, walk)
    const inner = subgraphs(node)
    const tensors = [...attrTensors(node), ...node.inputs.flatMap((name) => held.get(name) ?? [])]
    const constant = inner.length === 0 && node.inputs.every((name) => name === '' || held.has(name))
    if (constant && !graph.outputs.some((name) => node.outputs.includes(name))) {
      for (const name of node.outputs) held.set(name, tensors)
    } else addRow(graph, node, path, tensors, times, walk)
    const runs = walk.counted.runs.get(node)
    const parts = inner.map(({ attr, graph: g }) =>
      visitGraph(g, [...path, `${describeName(node)}.${attr}`], timesOf(times, runs), held, walk),
    )
    const whole = walk.counted.macs.get(node)
    if (inner.length === 0) total += costOf(node, path, times, walk)
    else if (typeof whole === 'number' && times !== null) total += times * whole
    else total += runs === 'one' ? Math.max(0, ...parts) : parts.reduce((a, b) => a + b, 0)
  }
  return total
}

const timesOf = (times: number | null, runs: number | 'one' | null | undefined): number | null =>
  runs === 'one' ? times : times === null || typeof runs !== 'number' ? null : times * runs

const describeName = (node: Node): string => (node.name === '' ? describeNode(node) : node.name)

/** The products of a node that runs `times` times; 0 and a note where they are not known. */
function costOf(node: Node, path: readonly string[], times: number | null, walk: Walk): number {
  const macs = walk.counted.macs.get(node) ?? null
  if (macs === 0) return 0
  if (macs !== null && times !== null) return macs * times
  walk.unknown.push({ path, name: describeName(node), op: opName(node), why: whyUnknown(node, macs, walk) })
  return 0
}

function whyUnknown(node: Node, macs: number | null, walk: Walk): UnknownCost['why'] {
  if (macs !== null) return 'number of runs unknown'
  if (walk.unknownOps.has(opName(node))) return 'no record of the op'
  return findOp(node.domain, node.op)?.cost === 'none' ? 'no convention counts it' : 'sizes unknown'
}

function addRow(
  graph: Graph,
  node: Node,
  path: readonly string[],
  tensors: readonly Tensor[],
  times: number | null,
  walk: Walk,
): void {
  const own = tensors.filter((t) => !walk.seen.has(t))
  for (const t of own) walk.seen.add(t)
  const parameters = [...new Set(own)].reduce((n, t) => n + parametersOf(t), 0)
  const cost = walk.counted.macs.get(node) ?? null
  const macs = subgraphs(node).length > 0 ? 0 : cost === null || times === null ? null : cost * times
  if (parameters === 0 && macs === 0) return
  const first = node.outputs.find((name) => name !== '')
  walk.rows.push({
    path,
    name: describeName(node),
    op: opName(node),
    output: first === undefined ? null : valueRow(first, walk.facts, graph),
    parameters,
    bytes: [...new Set(own)].reduce((n, t) => n + t.byteLength, 0),
    macs,
  })
}

const attrTensors = (node: Node): readonly Tensor[] =>
  Object.values(node.attrs).flatMap((a) => (a.type === 'tensor' ? [a.value] : []))

/** Constants of all graphs, and tensors that nodes hold, once each. */
function allConstants(model: Model): readonly Tensor[] {
  const all = new Set<Tensor>()
  const fromNodes = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      for (const t of attrTensors(node)) all.add(t)
      for (const { graph } of subgraphs(node)) fromGraph(graph)
    }
  }
  const fromGraph = (graph: Graph): void => {
    for (const t of graph.constants.values()) all.add(t)
    for (const t of graph.sparseConstants?.values() ?? []) all.add(t.values)
    fromNodes(graph.nodes)
  }
  fromGraph(model.graph)
  for (const f of model.functions) fromNodes(f.nodes)
  return [...all]
}

const parametersOf = (t: Tensor): number =>
  t.dtype === 'int64' || t.dtype === 'uint64' || t.dtype === 'bool' || t.dtype === 'string' ? 0 : elementCount(t.shape)

function valueRow(name: string, facts: Facts, graph: Graph): ValueRow {
  const value: Value | undefined = facts.graphs.get(graph)?.get(name)?.value ?? graph.values.get(name)
  if (value === undefined) return { name, type: 'unknown', shape: null }
  if (value.kind !== 'tensor') return { name, type: value.kind, shape: null }
  return { name, type: value.dtype, shape: value.shape }
}

function heaviest(layers: readonly LayerRow[], share: (row: LayerRow) => number, top: number): readonly Heavy[] {
  let cumulative = 0
  return layers
    .map((row, layer) => ({ layer, share: share(row) }))
    .filter((h) => h.share > 0)
    .sort((a, b) => b.share - a.share || a.layer - b.layer)
    .slice(0, top)
    .map((h) => {
      cumulative += h.share
      return { ...h, cumulative }
    })
}
