/**
 * Whether a graph is one: every name defined once and before it is read, no cycles, data that fits its shape. What an
 * operator asks of its inputs is not checked here. For graphs from files and for graphs that code has built.
 */

import { PareError } from '../util/errors.js'
import { describeNode, subgraphs } from './attrs.js'
import { byteSize } from './dtypes.js'
import { producers, reads, sortNodes } from './graphs.js'
import { elementCount } from './tensor.js'
import type { Func, Graph, Model, Node, Tensor } from './types.js'

/** Graphs inside graphs; what protobuf's readers accept at most (100 messages, three a graph). */
export const MAX_GRAPH_DEPTH = 31

/** The names of a graph that can be read at some point of it, and what encloses it. */
interface Scope {
  readonly nodes: readonly Node[]
  readonly visible: Set<string>
  readonly outer: Scope | null
  readonly where: string
  readonly depth: number
}

/**
 * Throws `MODEL_DUPLICATE` (a name defined twice), `MODEL_NAME` (a name that nothing defines), `MODEL_ORDER` (read
 * before it is defined; `sortModel` helps), `MODEL_CYCLE`, `MODEL_DEPTH`, `MODEL_OP`, `MODEL_OPSET`,
 * `TENSOR_SHAPE`, `TENSOR_SIZE`.
 */
export function checkModel(model: Model, where = 'model'): void {
  if (model.opsets.size === 0) {
    throw new PareError('MODEL_OPSET', 'the model does not say which operator sets it uses', {
      where,
      remedy: "Give opsets, e.g. '' in version 21.",
    })
  }
  checkGraph(model.graph, where)
  const functions = new Set<string>()
  for (const f of model.functions) {
    const key = JSON.stringify([f.domain, f.name, f.overload ?? ''])
    if (functions.has(key)) throw duplicate(where, 'two functions have the same name', f.name)
    functions.add(key)
    checkFunction(f, where)
  }
}

/** As `checkModel`, for one graph and the graphs inside it; `outer`: names that it may take from around it. */
export function checkGraph(graph: Graph, where = 'graph', outer: Iterable<string> = []): void {
  const around: Scope = { nodes: [], visible: new Set(outer), outer: null, where, depth: 0 }
  checkInner(graph, around)
}

function checkInner(graph: Graph, outer: Scope): void {
  const scope: Scope = { ...outer, nodes: graph.nodes, visible: new Set(), outer, depth: outer.depth + 1 }
  if (scope.depth > MAX_GRAPH_DEPTH) {
    throw new PareError('MODEL_DEPTH', `graphs are nested more than ${MAX_GRAPH_DEPTH} deep`, {
      where: scope.where,
      remedy: 'Write inner graphs as functions, or move their content out.',
    })
  }
  for (const name of graph.inputs) define(scope, name, 'input')
  const inputs = new Set(graph.inputs)
  for (const [name, tensor] of graph.constants) {
    // Listed among the inputs, a constant is the input's default (and in IR version 3 and before, always listed).
    if (!inputs.has(name)) define(scope, name, 'constant')
    checkTensor(tensor, `${scope.where}: constant ${name}`)
  }
  for (const name of graph.sparseConstants?.keys() ?? []) if (!inputs.has(name)) define(scope, name, 'constant')
  for (const node of graph.nodes) checkNode(node, scope)
  for (const name of graph.outputs) resolve(scope, name, 'the output of a graph')
}

function checkFunction(f: Func, where: string): void {
  const inside = `${where}: function ${f.name}`
  const scope: Scope = { nodes: f.nodes, visible: new Set(), outer: null, where: inside, depth: 1 }
  for (const name of f.inputs) define(scope, name, 'input')
  for (const node of f.nodes) checkNode(node, scope)
  for (const name of f.outputs) resolve(scope, name, 'the output of a function')
}

function checkNode(node: Node, scope: Scope): void {
  if (node.op === '') {
    throw new PareError('MODEL_OP', 'a node names no operator', {
      where: scope.where,
      value: describeNode(node),
      remedy: 'Give the node an operator, or export the model again.',
    })
  }
  for (const name of node.inputs) if (name !== '') resolve(scope, name, describeNode(node))
  for (const attr of Object.values(node.attrs)) {
    if (attr.type === 'tensor') checkTensor(attr.value, `${scope.where}: ${describeNode(node)}`)
  }
  for (const { graph } of subgraphs(node)) checkInner(graph, scope)
  for (const name of node.outputs) if (name !== '') define(scope, name, `output of ${describeNode(node)}`)
}

function define({ visible, where }: Scope, name: string, as: string): void {
  if (name === '') throw nameless(where, as)
  if (visible.has(name)) throw duplicate(where, `a name is defined twice, the second time as ${as}`, name)
  visible.add(name)
}

const duplicate = (where: string, what: string, value: string): PareError =>
  new PareError('MODEL_DUPLICATE', what, { where, value, remedy: 'Give each value a name of its own.' })

const nameless = (where: string, what: string): PareError =>
  new PareError('MODEL_NAME', `a name is empty: ${what}`, { where, remedy: 'Give it a name.' })

/** Finds a name in the scope or around it; where it is not, says why. */
function resolve(scope: Scope, name: string, reader: string): void {
  for (let s: Scope | null = scope; s !== null; s = s.outer) if (s.visible.has(name)) return
  if (name === '') throw nameless(scope.where, reader)
  for (let s: Scope | null = scope; s !== null; s = s.outer) {
    if (s.nodes.some((node) => node.outputs.includes(name))) throw unordered(s, name, reader)
  }
  throw new PareError('MODEL_NAME', `${reader} reads a value that nothing makes`, {
    where: scope.where,
    value: name,
    remedy: 'The model is damaged or was cut wrongly; export it again.',
  })
}

function unordered({ nodes, where }: Scope, name: string, reader: string): PareError {
  if (sortNodes(nodes) !== null) {
    return new PareError('MODEL_ORDER', `${reader} reads a value before it is made`, {
      where,
      value: name,
      remedy: 'Sort the nodes with sortModel.',
    })
  }
  return new PareError('MODEL_CYCLE', 'nodes read from each other in a circle', {
    where,
    value: cycle(nodes).map(describeNode).join(' <- '),
    remedy: 'A graph must have no cycles; repeat with Loop or Scan instead.',
  })
}

/** Nodes of one cycle. A node that has no place in the order reads, directly or not, from one that is on a cycle. */
function cycle(nodes: readonly Node[]): readonly Node[] {
  const maker = producers({ name: '', inputs: [], outputs: [], nodes, constants: new Map(), values: new Map() })
  const placed = new Set<Node>()
  for (let before = -1; before < placed.size; ) {
    before = placed.size
    for (const node of nodes) if (sources(node, maker).every((s) => placed.has(s))) placed.add(node)
  }
  const path: Node[] = []
  let node = nodes.find((n) => !placed.has(n))
  while (node !== undefined && !path.includes(node)) {
    path.push(node)
    node = sources(node, maker).find((s) => !placed.has(s))
  }
  return node === undefined ? path : [...path.slice(path.indexOf(node)), node]
}

const sources = (node: Node, maker: ReadonlyMap<string, Node>): readonly Node[] =>
  reads(node).flatMap((name) => maker.get(name) ?? [])

/** Whether dimensions are possible and the data fits them. Throws `TENSOR_SHAPE`, `TENSOR_SIZE`; loads nothing. */
function checkTensor({ dtype, shape, byteLength }: Tensor, where: string): void {
  const count = elementCount(shape)
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0) || !Number.isSafeInteger(count)) {
    throw new PareError('TENSOR_SHAPE', 'the shape is not possible', {
      where,
      value: shape,
      remedy: 'Dimensions are whole numbers from 0 on, with a product below 2^53.',
    })
  }
  const expected = byteSize(dtype, count)
  if (expected !== undefined && expected !== byteLength) {
    throw new PareError('TENSOR_SIZE', `a ${dtype} tensor of shape [${shape}] needs ${expected} bytes`, {
      where,
      value: byteLength,
      remedy: 'Give data that fits the shape.',
    })
  }
}
