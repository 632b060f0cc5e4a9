/**
 * Block weights for MatMul and Gemm as com.microsoft.MatMulNBits, which computes on packed 4- or 8-bit weights.
 * accuracy_level 4 lets the engine use int8 products; without it 8 bits are unpacked on every run.
 */

import { BLOCK_RANGES } from '../../grids/block-ranges.js'
import { type Blocks, packNibbles, quantizeBlocks } from '../../grids/blocks.js'
import { int } from '../../ir/attrs.js'
import { mapGraphs, nodeKey, withGraph } from '../../ir/graphs.js'
import { floats, tensor } from '../../ir/tensor.js'
import type { Graph, Model, Tensor } from '../../ir/types.js'
import { freshNames } from '../../passes/names.js'
import { removeDead } from '../../passes/remove-dead.js'
import type { Layer } from '../layers/layer.js'
import type { Params, Transform } from '../transform.js'
import { neededInFloat } from './needed.js'
import { type ConstantProduct, constantProduct } from './products.js'
import { type Rewriter, rewriter, someGraph, withOpset } from './rewrite.js'
import { openRounder, type Rounder, roundingParam } from './rounder.js'
import { transposed } from './transpose.js'
import { allFinite } from './weights.js'

const params = {
  bits: { kind: 'choice', choices: ['4', '8'], default: '4', doc: 'bits a weight' },
  block: { kind: 'choice', choices: ['16', '32', '64', '128'], default: '32', doc: 'weights that share a scale' },
  range: {
    kind: 'choice',
    choices: BLOCK_RANGES,
    default: 'absmax',
    doc: 'how the grid of each block is chosen: the whole range, least squared error, or half-quadratic',
  },
  zeroPoints: {
    kind: 'flag',
    default: false,
    doc: 'a zero point a block, for weights on one side of zero',
  },
  minElements: { kind: 'number', default: 1024, min: 1, max: 1e9, doc: 'leave smaller weights alone' },
  rounding: roundingParam,
  exclude: { kind: 'names', default: [], doc: 'nodes that stay as they are' },
} as const

type NBitsParams = Params<typeof params>

export const quantizeNBits: Transform<typeof params> = {
  id: 'quantize/nbits',
  summary: '4- or 8-bit block weights for MatMul and Gemm (com.microsoft.MatMulNBits)',
  params,
  needsCalibration: false,
  role: 'rounds',
  refuses(model, env) {
    if (env.portable === true) return 'MatMulNBits is not an operator of the ONNX standard'
    const found = someGraph(model.graph, (graph) => graph.nodes.some((n) => constantProduct(n, graph) !== null))
    return found ? null : 'no MatMul or Gemm with constant weights'
  },
  async apply(model: Model, p: NBitsParams, env) {
    const fresh = freshNames(model)
    const excluded = new Set(p.exclude)
    const wanted = ({ node }: Layer): boolean => node.op !== 'Conv' && !excluded.has(nodeKey(node))
    const rounder = await openRounder(model, p.rounding, env, wanted)
    const graph = mapGraphs(model.graph, (g) => quantizeGraph(g, p, fresh, rounder))
    rounder.report('quantize/nbits')
    return graph === model.graph ? model : removeDead.run(withOpset(withGraph(model, graph), 'com.microsoft', 1), env)
  },
}

function quantizeGraph(graph: Graph, p: NBitsParams, fresh: (hint: string) => string, rounder: Rounder): Graph {
  const excluded = new Set(p.exclude)
  const isNeeded = neededInFloat(graph)
  const fits = (name: string): boolean => {
    const t = graph.constants.get(name)!
    return t.byteLength / 4 >= p.minElements && allFinite(t)
  }
  const found = new Map(
    graph.nodes.flatMap((node) => {
      const w = excluded.has(nodeKey(node)) ? null : constantProduct(node, graph)
      return w !== null && fits(w.weight) ? [[node, w] as const] : []
    }),
  )
  const r = rewriter(graph, fresh)
  const written = new Map<string, readonly string[]>()
  let changed = false
  for (const [node, w] of found) {
    if (isNeeded(w.weight, (reader) => found.get(reader)?.transposed === w.transposed)) continue
    changed = true
    const original = graph.constants.get(w.weight)!
    const [depth, columns] = w.transposed
      ? [original.shape[1]!, original.shape[0]!]
      : [original.shape[0]!, original.shape[1]!]
    const bits = Number(p.bits) as 4 | 8
    const block = Number(p.block)
    const constants = written.get(w.weight) ?? writeBlocks(r, w, columns, depth, p, rounder)
    written.set(w.weight, constants)
    const out = node.outputs[0]!
    const product = w.bias === undefined ? out : fresh(`${out}_m`)
    const attrs = { K: int(depth), N: int(columns), bits: int(bits), block_size: int(block), accuracy_level: int(4) }
    r.replace(
      node,
      {
        name: node.name,
        domain: 'com.microsoft',
        op: 'MatMulNBits',
        inputs: [node.inputs[0]!, ...constants],
        outputs: [product],
        attrs,
      },
      ...(w.bias === undefined
        ? []
        : [{ name: '', domain: '', op: 'Add', inputs: [product, w.bias], outputs: [out], attrs: {} }]),
    )
  }
  return changed ? r.finish() : graph
}

/** B uint8 [N, blocks, block·bits/8]; scales [N · blocks]; zero points, where there are any, packed row by row. */
function writeBlocks(
  r: Rewriter,
  { weight, transposed: isTurned }: ConstantProduct,
  columns: number,
  depth: number,
  p: NBitsParams,
  rounder: Rounder,
): readonly string[] {
  const bits = Number(p.bits) as 4 | 8
  const block = Number(p.block)
  const t = r.graph.constants.get(weight)!
  const data = isTurned ? floats(t) : transposed(floats(t), depth, columns)
  const choice = { range: p.range, hasZeros: p.zeroPoints }
  const plain = quantizeBlocks(data, columns, depth, block, bits, Math.fround, choice)
  const blocks = rounder.blocks(t, plain, { depth, block, bits }, 'rows')
  const unsigned = Uint8Array.from(blocks.values, (v) => v + 2 ** (bits - 1))
  const bytes = bits === 4 ? packNibbles(unsigned) : unsigned
  return [
    r.constant(tensor('uint8', [columns, blocks.blocksPerRow, (block * bits) / 8], bytes), `${weight}_q`),
    r.constant(tensor('float32', [columns * blocks.blocksPerRow], blocks.scales), `${weight}_s`),
    ...(blocks.zeros === undefined ? [] : [r.constant(zeroPoints(blocks, columns, bits), `${weight}_z`)]),
  ]
}

/** uint8 [N · ⌈blocks · bits / 8⌉], each row padded to whole bytes. */
function zeroPoints({ zeros, blocksPerRow }: Blocks, rows: number, bits: 4 | 8): Tensor {
  const unsigned = Uint8Array.from(zeros!, (z) => z + 2 ** (bits - 1))
  if (bits === 8) return tensor('uint8', [unsigned.length], unsigned)
  const aRow = Math.ceil(blocksPerRow / 2)
  const packed = new Uint8Array(rows * aRow)
  for (let i = 0; i < rows; i++) {
    packed.set(packNibbles(unsigned.subarray(i * blocksPerRow, (i + 1) * blocksPerRow)), i * aRow)
  }
  return tensor('uint8', [packed.length], packed)
}
