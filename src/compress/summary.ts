/** What a quantized model has that the original had not: layers that compute in integers, weights stored in fewer bits. */

import { intAttr, subgraphs } from '../ir/attrs.js'
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
  const scales = new Set(graph.nodes.flatMap((n) => (n.inputs.some((i) => integers.has(i)) ? n.inputs : [])))
  const zeros = new Set(
    graph.nodes.flatMap((n) => (n.op === 'Sub' && n.inputs.every((i) => integers.has(i)) ? [n.inputs[1]!] : [])),
  )
  for (const node of graph.nodes) {
    if (zeros.has(node.outputs[0]!)) continue
    const kind = kindOf(node, dequantized) ?? STORED[storedAs(node, constants)] ?? digitsOf(node, constants)
    // The scales of stored integers are stored themselves.
    if (kind && !(kind === 'storedFloat16' && scales.has(node.outputs[0]!))) counts[kind]++
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

/** Digits of a base are taken apart by a Mod. */
function digitsOf({ op, domain, inputs }: Node, constants: ReadonlyMap<string, Tensor>): keyof Counts | null {
  const base = op === 'Mod' && domain === '' ? constants.get(inputs[1]!) : undefined
  if (base?.dtype !== 'uint8' || elementCount(base.shape) !== 1) return null
  const [digits] = numbers(base)
  return digits === 2 ? 'storedBinary' : digits === 3 ? 'storedTernary' : null
}

const PRODUCTS = ['Conv', 'Gemm', 'MatMul']

function kindOf(node: Node, dequantized: ReadonlySet<string>): keyof Counts | null {
  if (node.op === 'MatMulInteger') return 'dynamic'
  if (node.op === 'DynamicQuantizeLSTM') return 'dynamicLstm'
  if (node.op === 'MatMulNBits') return intAttr(node, 'bits', 4) === 4 ? 'blocks4' : null
  const between = node.domain === '' && [0, 1].every((i) => dequantized.has(node.inputs[i] ?? ''))
  return PRODUCTS.includes(node.op) && between ? 'static' : null
}
