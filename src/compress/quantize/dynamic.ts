/**
 * Dynamic int8: weights are integers in the file, activations are put on a grid that each run measures itself, so
 * no calibration is needed. MatMul and Gemm become DynamicQuantizeLinear → MatMulInteger → Cast → Mul (→ Add), all
 * of the ONNX standard, which the engine fuses into one kernel; LSTM becomes its contrib form. Works in subgraphs.
 */

import { int, intAttr, stringAttr } from '../../ir/attrs.js'
import { mapGraphs, nodeKey, withGraph } from '../../ir/graphs.js'
import { elements, floats, tensor } from '../../ir/tensor.js'
import type { Graph, Model, Node } from '../../ir/types.js'
import { freshNames } from '../../passes/names.js'
import { removeDead } from '../../passes/remove-dead.js'
import { standardOpset } from '../../passes/standard-domain.js'
import type { Layer } from '../layers/layer.js'
import type { Params, Transform, TransformEnv } from '../transform.js'
import { neededInFloat } from './needed.js'
import { type ConstantProduct, constantProduct } from './products.js'
import { type Rewriter, rewriter, someGraph, withOpset } from './rewrite.js'
import { openRounder, type Rounder, roundingParam } from './rounder.js'
import { alwaysClear, type Round } from './saturation.js'
import { transposed } from './transpose.js'
import { allFinite } from './weights.js'

const params = {
  perChannel: { kind: 'flag', default: true, doc: 'one weight scale for each output channel' },
  lstm: { kind: 'flag', default: true, doc: 'quantize LSTM too (a com.microsoft operator: not with portable)' },
  rounding: roundingParam,
  minElements: { kind: 'number', default: 64, min: 1, max: 1e9, doc: 'leave smaller weights in float' },
  exclude: { kind: 'names', default: [], doc: 'nodes that stay in float' },
} as const

type DynamicParams = Params<typeof params>

export const quantizeDynamic: Transform<typeof params> = {
  id: 'quantize/dynamic',
  summary: 'int8 weights, activations quantized anew in each run',
  params,
  needsCalibration: false,
  role: 'rounds',
  refuses(model, env) {
    const has = (kinds: Kinds): boolean =>
      someGraph(model.graph, (graph) => graph.nodes.some((n) => candidate(n, graph, kinds) !== null))
    if (has(kindsOf(model, env))) return null
    return has({ matmul: true, lstm: false })
      ? `DynamicQuantizeLinear needs opset ${PRODUCTS_FROM}, and the model's is ${standardOpset(model.opsets)}`
      : 'no MatMul, Gemm or LSTM with constant weights'
  },
  async apply(model, p, env) {
    const fresh = freshNames(model)
    const kinds = kindsOf(model, env)
    const excluded = new Set(p.exclude)
    const wanted = ({ node, kind }: Layer): boolean => kind === 'product' && !excluded.has(nodeKey(node))
    const rounder = await openRounder(model, p.rounding, env, wanted)
    const graph = mapGraphs(model.graph, (g) => quantizeGraph(g, p, kinds, fresh, rounder))
    rounder.report('quantize/dynamic')
    if (graph === model.graph) return model
    const next = withOpset(withGraph(model, graph), 'com.microsoft', 1)
    return removeDead.run(next, env)
  },
}

type Candidate = ({ readonly kind: 'matmul' } & ConstantProduct) | { readonly kind: 'lstm' }

/** The opset that has DynamicQuantizeLinear. */
const PRODUCTS_FROM = 11

/** What may be quantized at all. */
interface Kinds {
  readonly matmul: boolean
  readonly lstm: boolean
}

const kindsOf = (model: Model, env: Pick<TransformEnv, 'portable'>): Kinds => ({
  matmul: standardOpset(model.opsets) >= PRODUCTS_FROM,
  lstm: env.portable !== true,
})

function candidate(node: Node, graph: Graph, kinds: Kinds): Candidate | null {
  const product = kinds.matmul ? constantProduct(node, graph) : null
  if (product !== null) return { kind: 'matmul', ...product }
  if (!kinds.lstm || node.domain !== '' || node.op !== 'LSTM') return null
  const constants = [1, 2].every((i) => graph.constants.get(node.inputs[i] ?? '')?.dtype === 'float32')
  const plain = intAttr(node, 'layout', 0) === 0 && intAttr(node, 'input_forget', 0) === 0
  return constants && plain && stringAttr(node, 'direction', 'forward') !== 'reverse' ? { kind: 'lstm' } : null
}

function quantizeGraph(
  graph: Graph,
  p: DynamicParams,
  kinds: Kinds,
  fresh: (hint: string) => string,
  rounder: Rounder,
): Graph {
  const excluded = new Set(p.exclude)
  const found = graph.nodes.flatMap((node) => {
    const c = excluded.has(nodeKey(node)) ? null : candidate(node, graph, { ...kinds, lstm: p.lstm && kinds.lstm })
    const weights = c === null ? [] : c.kind === 'lstm' ? [node.inputs[1]!, node.inputs[2]!] : [c.weight]
    const large = weights.every((w) => graph.constants.get(w)!.byteLength / 4 >= p.minElements)
    const fit = large && weights.every((w) => allFinite(graph.constants.get(w)!))
    return c !== null && fit ? [{ node, c, weights }] : []
  })
  const chosen = withoutTiedInFloat(graph, found)
  if (chosen.length === 0) return graph
  const r = rewriter(graph, fresh)
  const grids = new Map<string, readonly [string, string, string]>()
  const weights = new Map<string, readonly [string, string]>()
  const recurrent = new Map<string, RecurrentWeight>()
  for (const { node, c } of chosen) {
    if (c.kind === 'lstm') replaceLstm(r, node, p, recurrent)
    else replaceMatMul(r, node, c, p, grids, weights, rounder)
  }
  return r.finish()
}

/**
 * Leaves weights alone that somebody needs in float: until no more fall out, for an LSTM that is left out takes both
 * of its weights along. (One that a MatMul reads as it is and a Gemm transposed is stored both ways: two of a byte are less than one of four.)
 */
function withoutTiedInFloat<T extends { readonly node: Node; readonly weights: readonly string[] }>(
  graph: Graph,
  found: readonly T[],
): readonly T[] {
  const isNeeded = neededInFloat(graph)
  for (let kept = found; ; ) {
    const nodes = new Set(kept.map((f) => f.node))
    const next = kept.filter((f) => !f.weights.some((w) => isNeeded(w, (reader) => nodes.has(reader))))
    if (next.length === kept.length) return kept
    kept = next
  }
}

function replaceMatMul(
  r: Rewriter,
  node: Node,
  c: Extract<Candidate, { kind: 'matmul' }>,
  p: DynamicParams,
  grids: Map<string, readonly [string, string, string]>,
  weights: Map<string, readonly [string, string]>,
  rounder: Rounder,
): void {
  const x = node.inputs[0]!
  const out = node.outputs[0]!
  const key = `${c.weight} ${c.transposed}`
  const [wq, ws] = weights.get(key) ?? writeWeight(r, c, p, rounder)
  weights.set(key, [wq, ws])
  const known = grids.get(x)
  const [q, scale, zero] = known ?? ([r.fresh(`${x}_q`), r.fresh(`${x}_s`), r.fresh(`${x}_z`)] as const)
  grids.set(x, [q, scale, zero])
  const plain = { domain: '', attrs: {} }
  const sum = r.fresh(`${out}_i`)
  const real = r.fresh(`${out}_r`)
  const both = r.fresh(`${out}_s`)
  const last = c.bias === undefined ? out : r.fresh(`${out}_m`)
  const nodes: Node[] = [
    ...(known ? [] : [{ ...plain, name: '', op: 'DynamicQuantizeLinear', inputs: [x], outputs: [q, scale, zero] }]),
    { ...plain, name: node.name, op: 'MatMulInteger', inputs: [q, wq, zero], outputs: [sum] },
    { ...plain, name: '', op: 'Cast', inputs: [sum], outputs: [real], attrs: { to: int(1) } },
    { ...plain, name: '', op: 'Mul', inputs: [scale, ws], outputs: [both] },
    { ...plain, name: '', op: 'Mul', inputs: [real, both], outputs: [last] },
    ...(c.bias === undefined ? [] : [{ ...plain, name: '', op: 'Add', inputs: [last, c.bias], outputs: [out] }]),
  ]
  r.replace(node, ...nodes)
}

/** MatMulInteger has no transposition: the weight is turned once, here. */
function writeWeight(
  r: Rewriter,
  c: Extract<Candidate, { kind: 'matmul' }>,
  p: DynamicParams,
  rounder: Rounder,
): readonly [string, string] {
  const w = r.graph.constants.get(c.weight)!
  const data = c.transposed ? transposed(floats(w), w.shape[0]!, w.shape[1]!) : floats(w)
  const shape = c.transposed ? [w.shape[1]!, w.shape[0]!] : w.shape
  const round: Round = (plain, limits) => rounder.channels(w, plain, limits, 'columns')
  const q = alwaysClear(data, shape, p.perChannel, round)
  return [r.constant(q.values, `${c.weight}_q`), r.constant(q.scale, `${c.weight}_s`)]
}

/** Names of what an LSTM's weight was written as. */
interface RecurrentWeight {
  readonly values: string
  readonly scale: string
  readonly zero: string
}

/** LSTM → com.microsoft.DynamicQuantizeLSTM, with W and R as integers. Shared ones are written once. */
function replaceLstm(r: Rewriter, node: Node, p: DynamicParams, written: Map<string, RecurrentWeight>): void {
  const quantized = (name: string): RecurrentWeight => {
    const weight = written.get(name) ?? recurrentWeight(r, name, p)
    written.set(name, weight)
    return weight
  }
  const [w, recurrence] = [quantized(node.inputs[1]!), quantized(node.inputs[2]!)]
  const rest = Array.from({ length: 5 }, (_, i) => node.inputs[i + 3] ?? '')
  const scales = [w.scale, w.zero, recurrence.scale, recurrence.zero]
  const { layout: _, ...attrs } = node.attrs
  r.replace(node, {
    ...node,
    domain: 'com.microsoft',
    op: 'DynamicQuantizeLSTM',
    inputs: [node.inputs[0]!, w.values, recurrence.values, ...rest, ...scales],
    attrs,
  })
}

/** W [directions, 4·hidden, input] or R [directions, 4·hidden, hidden], transposed, with one scale a gate row. */
function recurrentWeight(r: Rewriter, name: string, p: DynamicParams): RecurrentWeight {
  const w = r.graph.constants.get(name)!
  const [directions, rows, columns] = w.shape as [number, number, number]
  const all = floats(w)
  const size = rows * columns
  const perRow = p.perChannel ? rows : 1
  const scales = new Float32Array(directions * perRow)
  const values = new Int8Array(all.length)
  for (let d = 0; d < directions; d++) {
    const part = transposed(all.subarray(d * size, (d + 1) * size), rows, columns)
    const q = alwaysClear(part, [columns, rows], p.perChannel)
    values.set(elements(q.values) as Int8Array, d * size)
    scales.set(floats(q.scale), d * perRow)
  }
  const shape = p.perChannel ? [directions, rows] : [directions]
  return {
    values: r.constant(tensor('int8', [directions, columns, rows], values), `${name}_q`),
    scale: r.constant(tensor('float32', shape, scales), `${name}_s`),
    zero: r.constant(tensor('int8', shape, new Int8Array(scales.length)), `${name}_z`),
  }
}
