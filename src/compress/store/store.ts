/**
 * Storage-only compression: a weight is kept as int8, int4, float16, bits or base 3 and expanded by Cast (→ Mul by its
 * scale), ops that the engine folds away when it loads the model. The file shrinks, the speed stays that of float32, and
 * every op profits: Conv, LSTM, GRU, Gather, ConvTranspose, weights in subgraphs. (A DequantizeLinear would not be folded.)
 */

import { BLOCK_RANGES, type BlockRange } from '../../grids/block-ranges.js'
import type { SignGrid } from '../../grids/signs.js'
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
import type { Tensor } from '../../ir/types.js'
import { packNibbles, quantizeBlocks } from '../quantize/blocks.js'
import type { Rewriter } from '../quantize/rewrite.js'
import { type Rounder, roundingParam } from '../quantize/rounder.js'
import { FULL } from '../quantize/weights.js'
import { bestAxis } from './axis.js'
import { DIGITS_OPSET } from './digits.js'
import { type Expand, hintOf, overhead, toFloat } from './expand.js'
import { halvesOf } from './half.js'
import { expandSigns, isOnSigns } from './signs.js'
import { storeTransform } from './transform.js'

export const storeInt8 = storeTransform({
  id: 'store/int8',
  summary: 'weights stored as int8 with a scale a channel, computed in float32',
  params: { rounding: roundingParam },
  expand: (_, rounder) => expandInt8(rounder),
})
export const storeInt4 = storeTransform({
  id: 'store/int4',
  summary: 'weights stored as int4 in blocks of 32, computed in float32',
  opset: 21,
  params: {
    range: {
      kind: 'choice',
      choices: BLOCK_RANGES,
      default: 'absmax',
      doc: 'how the grid of each block is chosen: the whole range, least squared error, or half-quadratic',
    },
    zeroPoints: {
      kind: 'flag',
      default: false,
      doc: 'a zero point a block, for weights on one side of zero; rounded to the nearest',
    },
    rounding: roundingParam,
  },
  expand: (p, rounder) => expandInt4(p.range, p.zeroPoints, rounder),
})
export const storeF16 = storeTransform({
  id: 'store/f16',
  summary: 'weights stored as float16, computed in float32',
  params: {},
  expand: () => expandF16,
})
export const storeBinary = storeSigns('binary', 'weights of two values a channel stored as bits, exactly')
export const storeTernary = storeSigns('ternary', 'weights of three values a channel stored as base 3, exactly')

/** Only weights that are on the grid: rounding an ordinary weight to its sign ruins a model. */
function storeSigns(grid: SignGrid, summary: string) {
  const values = grid === 'binary' ? 'two' : 'three'
  return storeTransform({
    id: `store/${grid}`,
    summary,
    opset: DIGITS_OPSET,
    params: {},
    takes: {
      test: (t) => isOnSigns(t, grid),
      otherwise: `no weight has ${values} values a channel, as pare train --round-to ${grid} makes them`,
    },
    expand: () => expandSigns(grid),
  })
}

function expandF16(r: Rewriter, name: string, t: Tensor): string | null {
  const half = halvesOf(floats(t))
  if (half === null || t.byteLength / 2 <= overhead(name, 1, 1)) return null
  const hint = hintOf(name)
  return r.node('Cast', [r.constant(tensor('float16', t.shape, half), `${hint}_h`)], r.fresh(`${hint}_f`), toFloat)
}

/** Scales along the axis that loses least; `weight = Cast(q) · scale`, the scale shaped to broadcast. */
const expandInt8 =
  (rounder: Rounder): Expand =>
  (r, name, t) => {
    const plain = bestAxis(floats(t), t.shape)
    if (t.byteLength - plain.values.byteLength - plain.scale.byteLength <= overhead(name, 2, 2)) return null
    const q = rounder.channels(t, plain, [FULL], 'stored')
    const hint = hintOf(name)
    const shape = q.axis === null ? [] : t.shape.map((d, i) => (i === q.axis ? d : 1)).slice(q.axis)
    const real = r.node('Cast', [r.constant(q.values, `${hint}_q`)], r.fresh(`${hint}_c`), toFloat)
    const scale = r.constant(tensor('float32', shape, elements(q.scale)), `${hint}_s`)
    return r.node('Mul', [real, scale], r.fresh(`${hint}_f`))
  }

const BLOCK = 32

/** Whether float16 has the digits for scales of which this is the largest. */
const fitsHalf = (largest: number): boolean => largest >= 2 ** -11 && largest <= 65504

/** int4 in blocks along the rows [first dimension, rest] with float16 scales, padded to whole blocks. */
const expandInt4 =
  (range: BlockRange, hasZeros: boolean, rounder: Rounder): Expand =>
  (r, name, t) => {
    const rows = t.shape.length < 2 ? 1 : t.shape[0]!
    const depth = elementCount(t.shape) / rows
    const block = Math.min(BLOCK, depth)
    const padded = Math.ceil(depth / block) * block
    const data = floats(t)
    const isHalf = fitsHalf(data.reduce((peak, v) => Math.max(peak, Math.abs(v)), 0) / 8)
    const bytes = (rows * padded) / 2 + (rows * padded * ((isHalf ? 2 : 4) + (hasZeros ? 0.5 : 0))) / block
    const isWhole = padded === depth
    const [ops, constants] = isWhole ? [4, 3] : [6, 7]
    if (t.byteLength - bytes <= overhead(name, ops + (hasZeros ? 2 : 0), constants + (hasZeros ? 1 : 0))) return null
    const hint = hintOf(name)
    const roundScale = isHalf ? (s: number) => halfToFloat(floatToHalf(s)) : Math.fround
    const plain = quantizeBlocks(data, rows, depth, block, 4, roundScale, { range, hasZeros })
    const blocks = rounder.blocks(t, plain, { depth, block, bits: 4 }, 'stored')
    const q = r.constant(
      tensorOfBytes('int4', [rows, blocks.blocksPerRow, block], packNibbles(blocks.values)),
      `${hint}_q`,
    )
    const scaleShape = [rows, blocks.blocksPerRow, 1]
    const zeroPoints = (zeros: Float32Array): string => {
      const z = r.constant(tensorOfBytes('int4', scaleShape, packNibbles(zeros)), `${hint}_z`)
      return r.node('Cast', [z], r.fresh(`${hint}_y`), toFloat)
    }
    const stored = isHalf
      ? tensor('float16', scaleShape, Uint16Array.from(blocks.scales, floatToHalf))
      : f32(scaleShape, blocks.scales)
    const scales = r.constant(stored, `${hint}_s`)
    const stepsOf = r.node('Cast', [q], r.fresh(`${hint}_c`), toFloat)
    const real =
      blocks.zeros === undefined ? stepsOf : r.node('Sub', [stepsOf, zeroPoints(blocks.zeros)], r.fresh(`${hint}_o`))
    const scale = isHalf ? r.node('Cast', [scales], r.fresh(`${hint}_h`), toFloat) : scales
    const scaled = r.node('Mul', [real, scale], r.fresh(`${hint}_m`))
    if (isWhole)
      return r.node('Reshape', [scaled, r.constant(i64([t.shape.length], t.shape), 'shape')], r.fresh(`${hint}_f`))
    const flat = r.node('Reshape', [scaled, r.constant(i64([2], [rows, padded]), 'shape')], r.fresh(`${hint}_p`))
    const cut = r.node(
      'Slice',
      [flat, ...[0, depth, 1].map((v) => r.constant(i64([1], [v]), 'i'))],
      r.fresh(`${hint}_k`),
    )
    return r.node('Reshape', [cut, r.constant(i64([t.shape.length], t.shape), 'shape')], r.fresh(`${hint}_f`))
  }
