/**
 * Weights in blocks of 2 or 3 bits, each with a float16 scale and, where asked for, a zero point: (q − zero) · scale.
 * Blocks lie along the rows [first dimension, rest], the last one of a row padded.
 */

import { BLOCK_RANGES } from '../../grids/block-ranges.js'
import { elementCount, f32, floats, floatToHalf, halfToFloat, tensor } from '../../ir/tensor.js'
import { type Blocks, quantizeBlocks } from '../quantize/blocks.js'
import type { Rewriter } from '../quantize/rewrite.js'
import { type Rounder, roundingParam } from '../quantize/rounder.js'
import type { Params } from '../transform.js'
import { DIGITS_OPSET, digits } from './digits.js'
import { type Expand, fileBytes, hintOf, list, type Part, plain, toFloat } from './expand.js'
import { storeTransform } from './transform.js'

const params = {
  block: { kind: 'choice', choices: ['16', '32', '64', '128'], default: '32', doc: 'weights that share a scale' },
  range: {
    kind: 'choice',
    choices: BLOCK_RANGES,
    default: 'mse',
    doc: 'how far the grid of a block reaches: to the largest weight, or as least squared or half-quadratic errors ask',
  },
  rounding: roundingParam,
  zeroPoints: { kind: 'flag', default: false, doc: 'a zero point for each block: grids need not lie about zero' },
} as const

export const storeInt3 = storeBlocks(3)
export const storeInt2 = storeBlocks(2)

function storeBlocks(bits: 2 | 3) {
  return storeTransform({
    id: `store/int${bits}`,
    summary: `weights stored in ${bits} bits, in blocks with a scale each, computed in float32`,
    opset: DIGITS_OPSET,
    params,
    expand: (p, rounder) => expandBlocks(bits, p, rounder),
  })
}

/** How a weight lies in blocks. */
interface Layout {
  readonly shape: readonly number[]
  readonly rows: number
  readonly depth: number
  readonly block: number
  readonly blocksPerRow: number
}

const expandBlocks =
  (bits: 2 | 3, { block: size, range, zeroPoints }: Params<typeof params>, rounder: Rounder): Expand =>
  (r, name, t) => {
    const { shape } = t
    const rows = shape.length < 2 ? 1 : shape[0]!
    const depth = elementCount(shape) / Math.max(1, rows)
    const block = Math.max(1, Math.min(Number(size), depth))
    const data = floats(t)
    const isHalf = fitsHalf(data.reduce((peak, v) => Math.max(peak, Math.abs(v)), 0))
    const round = isHalf ? (s: number) => halfToFloat(floatToHalf(s)) : Math.fround
    const nearest = quantizeBlocks(data, rows, depth, block, bits, round, { range, hasZeros: zeroPoints })
    const layout = { shape, rows, depth, block, blocksPerRow: nearest.blocksPerRow }
    const parts = partsOf(nearest, bits, isHalf)
    const own = [parts.integers, parts.scales, ...(typeof parts.zeros === 'number' ? [] : [parts.zeros])]
    if (fileBytes(name, [...own, AROUND]) >= t.byteLength) return null
    const blocks = rounder.blocks(t, nearest, { depth, block, bits }, 'stored')
    return assembled(r, hintOf(name), blocks === nearest ? parts : partsOf(blocks, bits, isHalf), layout)
  }

/** Most that `assembled` adds to the parts. */
const AROUND = { bytes: 0, ops: 8, constants: 8 }

/** Whether float16 has the digits for scales of weights whose largest is this. */
const fitsHalf = (largest: number): boolean => largest >= 2 ** -8 && largest <= 65504

/** All make float32. */
interface Parts {
  readonly integers: Part
  readonly scales: Part
  /** Of each block, or one for all. */
  readonly zeros: Part | number
}

function partsOf({ values, scales, zeros, blocksPerRow }: Blocks, bits: 2 | 3, isHalf: boolean): Parts {
  const [base, middle] = [2 ** bits, 2 ** (bits - 1)]
  const unsigned = (list: Int8Array | Float32Array): Part =>
    cast(
      digits(
        Uint8Array.from(list, (v) => v + middle),
        base,
      ),
    )
  const shape = [scales.length / blocksPerRow, blocksPerRow, 1]
  return {
    integers: unsigned(values),
    zeros: zeros === undefined ? middle : unsigned(zeros),
    scales: isHalf
      ? cast(plain(tensor('float16', shape, Uint16Array.from(scales, floatToHalf)), 's'))
      : plain(f32(shape, scales), 's'),
  }
}

const cast = (part: Part): Part => ({
  ...part,
  ops: part.ops + 1,
  emit: (r, hint) => r.node('Cast', [part.emit(r, hint)], r.fresh(`${hint}_c`), toFloat),
})

function assembled(r: Rewriter, hint: string, { integers, zeros, scales }: Parts, layout: Layout): string {
  const { rows, block, blocksPerRow } = layout
  const shaped = (part: Part, ...shape: readonly number[]): string =>
    r.node('Reshape', [part.emit(r, hint), list(r, ...shape)], r.fresh(`${hint}_b`))
  const zero = typeof zeros === 'number' ? r.constant(f32([], [zeros]), 'zero') : shaped(zeros, rows, blocksPerRow, 1)
  const centred = r.node('Sub', [shaped(integers, rows, blocksPerRow, block), zero], r.fresh(`${hint}_d`))
  const scaled = r.node('Mul', [centred, scales.emit(r, hint)], r.fresh(`${hint}_m`))
  return unblocked(r, hint, scaled, layout)
}

/** Without the padding, in the shape that the weight had. */
function unblocked(
  r: Rewriter,
  hint: string,
  value: string,
  { shape, rows, depth, block, blocksPerRow }: Layout,
): string {
  const reshaped = (from: string, to: readonly number[]): string =>
    r.node('Reshape', [from, list(r, ...to)], r.fresh(`${hint}_f`))
  const padded = block * blocksPerRow
  if (padded === depth) return reshaped(value, shape)
  const ends = [0, depth, 1].map((v) => list(r, v))
  return reshaped(r.node('Slice', [reshaped(value, [rows, padded]), ...ends], r.fresh(`${hint}_k`)), shape)
}
