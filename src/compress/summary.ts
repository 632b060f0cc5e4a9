/** What a quantized model has that the original had not: layers that compute in integers, weights stored in fewer bits. */

import { intAttr, subgraphs } from '../ir/attrs.js'
import { producers } from '../ir/graphs.js'
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
  readonly storedInt3: number
  readonly storedInt2: number
  /** Places in a codebook; of sparse weights too, whose entries are such. */
  readonly storedCodebook: number
  /** Only what is not zero. */
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
  const integers = new Set(graph.nodes.flatMap((n) => (/^u?int[48]$/.test(storedAs(n, constants)) ? n.outputs : [])))
  const makers = producers(graph)
  const packed = new Map(
    graph.nodes.flatMap((n) => (packedAs(n, constants, makers) ? [[n.outputs[0]!, n] as const] : [])),
  )
  const isPart = (name: string): boolean => integers.has(name) || packed.has(name)
  const parts = new Set(graph.nodes.flatMap((n) => (n.inputs.some(isPart) ? n.inputs : [])))
  const zeros = new Set(
    graph.nodes.flatMap((n) => (n.op === 'Sub' && n.inputs.every((i) => integers.has(i)) ? [n.inputs[1]!] : [])),
  )
  for (const node of graph.nodes) {
    if (zeros.has(node.outputs[0]!)) continue
    const kind = kindOf(node, dequantized) ?? STORED[storedAs(node, constants)] ?? packedAs(node, constants, makers)
    // The scales of stored integers are stored themselves, as are the entries of sparse weights.
    if (kind && !(kind === 'storedFloat16' && parts.has(node.outputs[0]!))) counts[kind]++
    for (const inner of subgraphs(node)) count(inner.graph, constants, counts)
  }
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

/** Where values in packed digits become weights: Gather takes them from a table, Sub centres them. */
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
  if (op !== 'Sub') return null
  const digits = digitsOf(of(inputs[0]), constants, makers)
  return digits === null ? null : (CENTRED[`${digits} ${of(inputs[0])!.op}`] ?? null)
}

/** By base, or sum of two, and by what is centred: values, or values in blocks. */
const CENTRED: Readonly<Record<string, keyof Counts>> = {
  '2 Cast': 'storedBinary',
  '3 Cast': 'storedTernary',
  '4 Reshape': 'storedInt2',
  'sum Reshape': 'storedInt3',
}

/** The base of the digits that a node gives another form; 0 of whole bytes; null where it has none. */
function digitsOf(
  node: Node | undefined,
  constants: ReadonlyMap<string, Tensor>,
  makers: Makers,
): number | 'sum' | null {
  if (node === undefined || node.domain !== '') return null
  if (node.op === 'Add') return digitsOf(makers.get(node.inputs[0]!), constants, makers) === null ? null : 'sum'
  if (node.op === 'Mod') {
    const base = constants.get(node.inputs[1]!)
    return base?.dtype === 'uint8' && elementCount(base.shape) === 1 ? numbers(base)[0]! : null
  }
  if (!['Cast', 'Reshape', 'Slice'].includes(node.op)) return null
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
