/**
 * Storage-only compression: a weight is kept as int8, int4, float16, bits or base 3 and expanded by Cast (→ Mul by its
 * scale), ops that the engine folds away when it loads the model. The file shrinks, the speed stays that of float32, and
 * every op profits: Conv, LSTM, GRU, Gather, ConvTranspose, weights in subgraphs. (A DequantizeLinear would not be folded.)
 */

import type { SignGrid } from '../../grids/signs.js'
import { subgraphs } from '../../ir/attrs.js'
import { definitions } from '../../ir/edits.js'
import { mapGraphs, nodeKey, withGraph } from '../../ir/graphs.js'
import {
  elementCount,
  elements,
  f32,
  floats,
  floatToHalf,
  halfToFloat,
  i64,
  tensor,
  tensorOfBytes,
} from '../../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../../ir/types.js'
import { freshNames } from '../../passes/names.js'
import { removeDead } from '../../passes/remove-dead.js'
import { standardOpset } from '../../passes/standard-domain.js'
import { packNibbles, quantizeBlocks } from '../quantize/blocks.js'
import { neededInFloat } from '../quantize/needed.js'
import { type Rewriter, rewriter, someGraph } from '../quantize/rewrite.js'
import { allFinite, type QuantizedWeight, quantizeWeight, weightError } from '../quantize/weights.js'
import type { Params, Transform } from '../transform.js'
import { type Expand, hintOf, overhead, toFloat } from './expand.js'
import { expandSigns, isOnSigns, SIGNS_OPSET } from './signs.js'

const params = {
  minElements: {
    kind: 'number',
    default: 128,
    min: 1,
    max: 1e9,
    doc: 'leave smaller constants alone: the ops that expand them would cost more',
  },
  exclude: { kind: 'names', default: [], doc: 'nodes whose constants stay in float32' },
} as const

type StoreParams = Params<typeof params>

const LEAST: StoreParams = { minElements: params.minElements.default, exclude: [] }

export const storeInt8 = storeTransform(
  'store/int8',
  'weights stored as int8 with a scale a channel, computed in float32',
  expandInt8,
)
export const storeInt4 = storeTransform(
  'store/int4',
  'weights stored as int4 in blocks of 32, computed in float32',
  expandInt4,
  21,
)
export const storeF16 = storeTransform('store/f16', 'weights stored as float16, computed in float32', expandF16)
export const storeBinary = storeSigns('binary', 'weights of two values a channel stored as bits, exactly')
export const storeTernary = storeSigns('ternary', 'weights of three values a channel stored as base 3, exactly')

/** Only weights that are on the grid: rounding an ordinary weight to its sign ruins a model. */
function storeSigns(grid: SignGrid, summary: string): Transform<typeof params> {
  const plain = storeTransform(`store/${grid}`, summary, expandSigns(grid), SIGNS_OPSET)
  const reason = `no weight has ${grid === 'binary' ? 'two' : 'three'} values a channel, as pare train --round-to ${grid} makes them`
  return {
    ...plain,
    refuses(model, env) {
      const isFound = (graph: Graph): boolean => storable(graph, LEAST).some(([, t]) => isOnSigns(t, grid))
      return plain.refuses(model, env) ?? (someGraph(model.graph, isFound) ? null : reason)
    },
  }
}

/** `opset`: the first that has what `expand` adds; Mul broadcasts from 7 on. */
function storeTransform(id: string, summary: string, expand: Expand, opset = 7): Transform<typeof params> {
  return {
    id,
    summary,
    params,
    needsCalibration: false,
    role: 'rounds',
    refuses(model) {
      const given = standardOpset(model.opsets)
      if (given < opset) return `${id} needs opset ${opset}, and the model's is ${given}`
      const found = someGraph(model.graph, (graph) => storable(graph, LEAST).length > 0)
      return found ? null : 'no float32 constants large enough'
    },
    async apply(model: Model, p: StoreParams, env) {
      const fresh = freshNames(model)
      const graph = mapGraphs(model.graph, (g) => storeGraph(g, p, fresh, expand))
      return graph === model.graph ? model : removeDead.run(withGraph(model, graph), env)
    },
  }
}

/**
 * Inputs that divide, or whose smallest values count as much as the largest, the scales of integers among them: rounded
 * to the grid of the largest, the smallest would become zero.
 */
const RATIOS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [4],
  DequantizeLinear: [1],
  Div: [1],
  Log: [0],
  Pow: [0, 1],
  QLinearConv: [1, 4, 6],
  QLinearMatMul: [1, 4, 6],
  QuantizeLinear: [1],
  Reciprocal: [0],
  Sqrt: [0],
}
const CONTRIB_RATIOS: Readonly<Record<string, readonly number[]>> = {
  DequantizeLinear: [1],
  DynamicQuantizeLSTM: [8, 10],
  DynamicQuantizeMatMul: [2],
  GatherBlockQuantized: [2],
  MatMulBnb4: [2],
  MatMulIntegerToFloat: [2, 3],
  MatMulNBits: [2],
  QGemm: [1, 4, 7],
  QuantizeLinear: [1],
}
const RATIOS_OF: Readonly<Record<string, typeof RATIOS>> = { '': RATIOS, 'com.microsoft': CONTRIB_RATIOS }

const isRatio = (node: Node, name: string): boolean =>
  RATIOS_OF[node.domain]?.[node.op]?.some((i) => node.inputs[i] === name) ?? false

/** Factors of the scales that DynamicQuantizeLinear finds in each run: scales too. */
function dynamicScales(graph: Graph): ReadonlySet<string> {
  const measured = new Set(graph.nodes.flatMap((n) => (n.op === 'DynamicQuantizeLinear' ? n.outputs.slice(1, 2) : [])))
  return new Set(graph.nodes.flatMap((n) => (n.op === 'Mul' && n.inputs.some((i) => measured.has(i)) ? n.inputs : [])))
}

/** Large float32 constants that nodes read and that no output or input of the graph names. */
function storable(graph: Graph, p: StoreParams): readonly (readonly [string, Tensor])[] {
  const excluded = new Set(p.exclude)
  const readers = readersWithin(graph)
  const isNeeded = neededInFloat(graph, readers)
  const scales = dynamicScales(graph)
  return [...graph.constants].filter(([name, t]) => {
    if (t.dtype !== 'float32' || elementCount(t.shape) < p.minElements || scales.has(name)) return false
    if (!readers.has(name) || isNeeded(name, (n) => !excluded.has(nodeKey(n)) && !isRatio(n, name))) return false
    return allFinite(t)
  })
}

/** The nodes that read each value of a graph, those in subgraphs among them. */
function readersWithin(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const readers = new Map<string, Node[]>()
  const see = (name: string, node: Node): void => {
    const list = readers.get(name)
    if (list) list.push(node)
    else readers.set(name, [node])
  }
  const visit = (nodes: readonly Node[], hidden: ReadonlySet<string>): void => {
    for (const node of nodes) {
      for (const name of node.inputs) if (!hidden.has(name)) see(name, node)
      for (const { graph: inner } of subgraphs(node)) {
        const own = new Set([...hidden, ...definitions(inner)])
        visit(inner.nodes, own)
      }
    }
  }
  visit(graph.nodes, new Set())
  return readers
}

function storeGraph(graph: Graph, p: StoreParams, fresh: (hint: string) => string, expand: Expand): Graph {
  const r = rewriter(graph, fresh)
  let changed = false
  for (const [name, t] of storable(graph, p)) {
    const expanded = expand(r, name, t)
    if (expanded === null) continue
    r.rename(name, expanded)
    changed = true
  }
  return changed ? r.finish() : graph
}

/** Error of a float16, relative to the whole tensor, from which on its values lie outside the type's range. */
const OUTSIDE = 2 ** -10

/** False where values beyond 65504 become infinite, or so many are so small that they lose their digits. */
function holds(values: Float32Array, half: Uint16Array): boolean {
  let error = 0
  let norm = 0
  for (let i = 0; i < values.length; i++) {
    error += (values[i]! - halfToFloat(half[i]!)) ** 2
    norm += values[i]! ** 2
  }
  return error <= OUTSIDE ** 2 * norm
}

function expandF16(r: Rewriter, name: string, t: Tensor): string | null {
  const half = Uint16Array.from(floats(t), floatToHalf)
  if (t.byteLength / 2 <= overhead(name, 1, 1) || !holds(floats(t), half)) return null
  const hint = hintOf(name)
  return r.node('Cast', [r.constant(tensor('float16', t.shape, half), `${hint}_h`)], r.fresh(`${hint}_f`), toFloat)
}

/** Scales along the axis that loses least; `weight = Cast(q) · scale`, the scale shaped to broadcast. */
function expandInt8(r: Rewriter, name: string, t: Tensor): string | null {
  const q = bestAxis(floats(t), t.shape)
  if (t.byteLength - q.values.byteLength - q.scale.byteLength <= overhead(name, 2, 2)) return null
  const hint = hintOf(name)
  const shape = q.axis === null ? [] : t.shape.map((d, i) => (i === q.axis ? d : 1)).slice(q.axis)
  const real = r.node('Cast', [r.constant(q.values, `${hint}_q`)], r.fresh(`${hint}_c`), toFloat)
  const scale = r.constant(tensor('float32', shape, elements(q.scale)), `${hint}_s`)
  return r.node('Mul', [real, scale], r.fresh(`${hint}_f`))
}

/** Fewest elements for each scale: below that the scales outweigh what they save. */
const ELEMENTS_PER_SCALE = 8

function bestAxis(data: Float32Array, shape: readonly number[]): QuantizedWeight {
  const axes = [null, ...shape.keys()].filter(
    (a) => a === null || (shape[a]! > 1 && data.length / shape[a]! >= ELEMENTS_PER_SCALE),
  )
  const tried = axes.map((axis) => {
    const q = quantizeWeight(data, shape, axis)
    return { q, error: weightError(data, shape, q) }
  })
  return tried.reduce((a, b) => (b.error < a.error ? b : a)).q
}

const BLOCK = 32

/** Whether float16 has the digits for scales of which this is the largest. */
const fitsHalf = (largest: number): boolean => largest >= 2 ** -11 && largest <= 65504

/** int4 in blocks along the rows [first dimension, rest] with float16 scales, padded to whole blocks. */
function expandInt4(r: Rewriter, name: string, t: Tensor): string | null {
  const rows = t.shape.length < 2 ? 1 : t.shape[0]!
  const depth = elementCount(t.shape) / rows
  const block = Math.min(BLOCK, depth)
  const padded = Math.ceil(depth / block) * block
  const data = floats(t)
  const isHalf = fitsHalf(data.reduce((peak, v) => Math.max(peak, Math.abs(v)), 0) / 8)
  const bytes = (rows * padded) / 2 + (rows * padded * (isHalf ? 2 : 4)) / block
  const isWhole = padded === depth
  if (t.byteLength - bytes <= (isWhole ? overhead(name, 4, 3) : overhead(name, 6, 7))) return null
  const hint = hintOf(name)
  const blocks = quantizeBlocks(data, rows, depth, block, 4, isHalf ? (s) => halfToFloat(floatToHalf(s)) : Math.fround)
  const q = r.constant(
    tensorOfBytes('int4', [rows, blocks.blocksPerRow, block], packNibbles(blocks.values)),
    `${hint}_q`,
  )
  const scaleShape = [rows, blocks.blocksPerRow, 1]
  const stored = isHalf
    ? tensor('float16', scaleShape, Uint16Array.from(blocks.scales, floatToHalf))
    : f32(scaleShape, blocks.scales)
  const scales = r.constant(stored, `${hint}_s`)
  const real = r.node('Cast', [q], r.fresh(`${hint}_c`), toFloat)
  const scale = isHalf ? r.node('Cast', [scales], r.fresh(`${hint}_h`), toFloat) : scales
  const scaled = r.node('Mul', [real, scale], r.fresh(`${hint}_m`))
  if (isWhole)
    return r.node('Reshape', [scaled, r.constant(i64([t.shape.length], t.shape), 'shape')], r.fresh(`${hint}_f`))
  const flat = r.node('Reshape', [scaled, r.constant(i64([2], [rows, padded]), 'shape')], r.fresh(`${hint}_p`))
  const cut = r.node('Slice', [flat, ...[0, depth, 1].map((v) => r.constant(i64([1], [v]), 'i'))], r.fresh(`${hint}_k`))
  return r.node('Reshape', [cut, r.constant(i64([t.shape.length], t.shape), 'shape')], r.fresh(`${hint}_f`))
}
