/** What a quantized model has that the original had not: layers that compute in integers, weights stored in fewer bits. */

import { intAttr, subgraphs } from '../ir/attrs.js'
import { producers, reads } from '../ir/graphs.js'
import { elementCount, numbers } from '../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'

/** Numbers of nodes, and of weights. */
export interface QuantizeSummary {
  /** Conv, MatMul and Gemm between grids that are fixed in the file. */
  readonly static: number
  /** Products whose activations are put on a grid in each run. */
  readonly dynamic: number
  readonly dynamicLstm: number
  /** Products that compute on blocks of 4 bits. */
  readonly blocks4: number
  /** Weights that are expanded to float32 before they are used. */
  readonly storedInt8: number
  readonly storedInt4: number
  readonly storedFloat16: number
  readonly storedBinary: number
  readonly storedTernary: number
  readonly storedInt6: number
  readonly storedInt5: number
  readonly storedInt3: number
  readonly storedInt2: number
  /** Places in a codebook. */
  readonly storedCodebook: number
  /** Only what is not zero, in whatever form. */
  readonly storedSparse: number
}

type Counts = { -readonly [K in keyof QuantizeSummary]: QuantizeSummary[K] }

const nothing = (): Counts => ({
  static: 0,
  dynamic: 0,
  dynamicLstm: 0,
  blocks4: 0,
  storedInt8: 0,
  storedInt4: 0,
  storedFloat16: 0,
  storedBinary: 0,
  storedTernary: 0,
  storedInt6: 0,
  storedInt5: 0,
  storedInt3: 0,
  storedInt2: 0,
  storedCodebook: 0,
  storedSparse: 0,
})

/** Counts in `after` what `before` had less of; what was quantized before does not count. */
export function summarizeQuantization(before: Model, after: Model): QuantizeSummary {
  const [old, now] = [nothing(), nothing()]
  count(before.graph, new Map(), old)
  count(after.graph, new Map(), now)
  for (const key of Object.keys(now) as (keyof Counts)[]) now[key] = Math.max(0, now[key] - old[key])
  return now
}

function count(graph: Graph, outer: ReadonlyMap<string, Tensor>, counts: Counts): void {
  const constants = new Map([...outer, ...graph.constants])
  const dequantized = new Set(graph.nodes.flatMap((n) => (n.op === 'DequantizeLinear' ? n.outputs : [])))
  for (const node of graph.nodes) {
    const kind = kindOf(node, dequantized)
    if (kind !== null) counts[kind]++
    for (const inner of subgraphs(node)) count(inner.graph, constants, counts)
  }
  for (const kind of storedIn(graph, constants)) counts[kind]++
}

/** Of what a weight is stored in several ways, such as integers with their scales, the first is what it counts as. */
const STORED_KINDS = [
  'storedSparse',
  'storedCodebook',
  'storedBinary',
  'storedTernary',
  'storedInt6',
  'storedInt5',
  'storedInt3',
  'storedInt2',
  'storedInt4',
  'storedInt8',
  'storedFloat16',
] as const satisfies (keyof Counts)[]

/** The kind of each value that nodes make of constants alone and that other nodes, or outputs, read. */
function storedIn(graph: Graph, constants: ReadonlyMap<string, Tensor>): readonly (keyof Counts)[] {
  const makers = producers(graph)
  const expanding = expandingNodes(graph, constants)
  const isRead = new Set([...graph.outputs, ...graph.nodes.filter((n) => !expanding.has(n)).flatMap(reads)])
  // What a weight is found by, of a pool its piece: one that is read both as it is and through a Transpose counts once.
  const found = new Map<Node | string, keyof Counts>()
  for (const last of expanding) {
    if (!last.outputs.some((name) => isRead.has(name))) continue
    const nodes = [...behind(last, makers)]
    const parts = nodes.map(
      (node) => [node, STORED[storedAs(node, constants)] ?? packedAs(node, constants, makers)] as const,
    )
    const kind = STORED_KINDS.find((k) => parts.some(([, other]) => other === k))
    if (kind === undefined) continue
    const piece = nodes.flatMap((n) => n.inputs).find((name) => makers.get(name)?.op === 'Split')
    found.set(piece ?? parts.find(([, other]) => other === kind)![0], kind)
  }
  return [...found.values()]
}

/** Nodes that the engine runs as it loads the model. */
function expandingNodes(graph: Graph, constants: ReadonlyMap<string, Tensor>): ReadonlySet<Node> {
  const known = new Set(['', ...constants.keys()])
  const nodes = new Set<Node>()
  for (const node of graph.nodes) {
    if (node.inputs.length === 0 || !reads(node).every((name) => known.has(name))) continue
    nodes.add(node)
    for (const name of node.outputs) known.add(name)
  }
  return nodes
}

/** A node and all that its inputs come from. */
function behind(node: Node, makers: Makers, seen = new Set<Node>()): ReadonlySet<Node> {
  if (seen.has(node)) return seen
  seen.add(node)
  for (const name of node.inputs) {
    const maker = makers.get(name)
    if (maker) behind(maker, makers, seen)
  }
  return seen
}

const STORED: Readonly<Record<string, keyof Counts>> = {
  int8: 'storedInt8',
  int4: 'storedInt4',
  float16: 'storedFloat16',
}

/** The element type of the constant that a node expands; '' for any other node. */
const storedAs = ({ op, domain, inputs }: Node, constants: ReadonlyMap<string, Tensor>): string =>
  op === 'Cast' && domain === '' ? (constants.get(inputs[0]!)?.dtype ?? '') : ''

type Makers = ReturnType<typeof producers>

/** Where values in packed digits become weights: Gather takes them from a table, Sub centres them. Zeros alone have none. */
function packedAs(
  { op, domain, inputs }: Node,
  constants: ReadonlyMap<string, Tensor>,
  makers: Makers,
): keyof Counts | null {
  if (domain !== '') return null
  const of = (name: string | undefined): Node | undefined => makers.get(name ?? '')
  if (op === 'Gather') {
    if (of(inputs[0])?.op === 'Concat' && of(of(inputs[1])?.inputs[0])?.op === 'CumSum') return 'storedSparse'
    const isPlace = constants.has(inputs[0]!) && digitsOf(of(inputs[1]), constants, makers) !== null
    return isPlace ? 'storedCodebook' : null
  }
  if (op === 'Reshape' && of(inputs[0])?.op === 'ConstantOfShape') return 'storedSparse'
  if (op !== 'Sub') return null
  const digits = digitsOf(of(inputs[0]), constants, makers)
  return digits === null ? null : (CENTRED[digits] ?? null)
}

/** By the base of what is centred. */
const CENTRED: Readonly<Record<number, keyof Counts>> = {
  2: 'storedBinary',
  3: 'storedTernary',
  4: 'storedInt2',
  8: 'storedInt3',
  32: 'storedInt5',
  64: 'storedInt6',
}

/** The base of the digits that a node gives another form, of planes their product; 0 of whole bytes; null where it has none. */
function digitsOf(node: Node | undefined, constants: ReadonlyMap<string, Tensor>, makers: Makers): number | null {
  if (node === undefined || node.domain !== '') return null
  if (node.op === 'Add') {
    const [a, b] = node.inputs.map((name) => digitsOf(makers.get(name), constants, makers))
    return a == null || b == null ? null : a * b
  }
  if (node.op === 'Mod') {
    const base = constants.get(node.inputs[1]!)
    return base?.dtype === 'uint8' && elementCount(base.shape) === 1 ? numbers(base)[0]! : null
  }
  if (!['Cast', 'Mul', 'Reshape', 'Slice', 'Split'].includes(node.op)) return null
  if (constants.get(node.inputs[0]!)?.dtype === 'uint8') return 0
  return digitsOf(makers.get(node.inputs[0]!), constants, makers)
}

const PRODUCTS = ['Conv', 'Gemm', 'MatMul']

function kindOf(node: Node, dequantized: ReadonlySet<string>): keyof Counts | null {
  if (node.op === 'MatMulInteger') return 'dynamic'
  if (node.op === 'DynamicQuantizeLSTM') return 'dynamicLstm'
  if (node.op === 'MatMulNBits') return intAttr(node, 'bits', 4) === 4 ? 'blocks4' : null
  const between = node.domain === '' && [0, 1].every((i) => dequantized.has(node.inputs[i] ?? ''))
  return PRODUCTS.includes(node.op) && between ? 'static' : null
}
