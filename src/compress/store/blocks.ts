/**
 * Weights in blocks of 2 to 6 bits, each with a float16 scale and, where asked for, a zero point: (q − zero) · scale.
 * Blocks lie along the rows [first dimension, rest], each row parted evenly, the last block padded.
 */

import { BLOCK_RANGES, type BlockRange, fitsHalf } from '../../grids/block-ranges.js'
import { type Blocks, evenBlock, packNibbles, quantizeBlocks } from '../../grids/blocks.js'
import { elementCount, f32, floats, floatToHalf, halfToFloat, tensor, tensorOfBytes } from '../../ir/tensor.js'
import type { Rewriter } from '../quantize/rewrite.js'
import { type Rounder, roundingParam } from '../quantize/rounder.js'
import { DIGITS_OPSET, digits } from './digits.js'
import { type Expand, fileBytes, hintOf, list, type Part, plain, toFloat } from './expand.js'
import { storeTransform } from './transform.js'

type Bits = 2 | 3 | 4 | 5 | 6

export const storeInt6 = storeBlocks(6)
export const storeInt5 = storeBlocks(5)
export const storeInt4 = storeBlocks(4)
export const storeInt3 = storeBlocks(3)
export const storeInt2 = storeBlocks(2)

function storeBlocks(bits: Bits) {
  return storeTransform({
    id: `store/int${bits}`,
    summary: `weights stored in ${bits} bits, in blocks with a scale each, computed in float32`,
    // The first that has the type, or what takes bytes apart.
    opset: bits === 4 ? 21 : DIGITS_OPSET,
    params: {
      block: {
        kind: 'choice',
        choices: ['16', '32', '64', '128'],
        default: '32',
        doc: 'weights that share a scale, about: rows are parted evenly',
      },
      range: {
        kind: 'choice',
        choices: BLOCK_RANGES,
        default: bits < 4 ? 'mse' : 'absmax',
        doc: 'how the grid of each block is chosen: the whole range, least squared error, or half-quadratic',
      },
      zeroPoints: {
        kind: 'flag',
        default: false,
        doc: 'a zero point a block, for weights on one side of zero',
      },
      rounding: roundingParam,
    },
    leavesHalf: true,
    expand: (p, rounder) => expandBlocks(bits, p, rounder),
  })
}

interface BlockParams {
  readonly block: string
  readonly range: BlockRange
  readonly zeroPoints: boolean
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
  (bits: Bits, { block: size, range, zeroPoints }: BlockParams, rounder: Rounder): Expand =>
  (r, name, t) => {
    const { shape } = t
    const rows = shape.length < 2 ? 1 : shape[0]!
    const depth = elementCount(shape) / Math.max(1, rows)
    const block = evenBlock(depth, Number(size))
    const data = floats(t)
    const isHalf = fitsHalf(data)
    const round = isHalf ? (s: number) => halfToFloat(floatToHalf(s)) : Math.fround
    const nearest = quantizeBlocks(data, rows, depth, block, bits, round, { range, hasZeros: zeroPoints })
    const layout = { shape, rows, depth, block, blocksPerRow: nearest.blocksPerRow }
    // What rounding chooses anew takes as much room.
    const planned = partsOf(nearest, bits, isHalf, layout)
    if (fileBytes(name, [...planned.filter((part) => part !== undefined), aroundOf(layout, planned)]) >= t.byteLength)
      return null
    const blocks = rounder.blocks(t, nearest, { depth, block, bits }, 'stored')
    const [integers, scales, zeros] = partsOf(blocks, bits, isHalf, layout)
    const hint = hintOf(name)
    const real = integers.emit(r, hint)
    const centred = zeros === undefined ? real : r.node('Sub', [real, zeros.emit(r, hint)], r.fresh(`${hint}_d`))
    const scaled = r.node('Mul', [centred, scales.emit(r, hint)], r.fresh(`${hint}_m`))
    return unblocked(r, hint, scaled, layout)
  }

type Parts = readonly [integers: Part, scales: Part, zeros?: Part]

/** All as float32, [rows, blocks a row, block] or [rows, blocks a row, 1]; one zero for all is a scalar. */
function partsOf({ values, scales, zeros }: Blocks, bits: Bits, isHalf: boolean, layout: Layout): Parts {
  const { rows, block, blocksPerRow } = layout
  const [whole, ends] = [[rows, blocksPerRow, block] as const, [rows, blocksPerRow, 1] as const]
  const scale = isHalf
    ? cast(plain(tensor('float16', ends, Uint16Array.from(scales, floatToHalf)), 's'))
    : plain(f32(ends, scales), 's')
  const integers = bits === 4 ? nibbles : digitsOf(bits)
  if (zeros !== undefined) return [integers(values, whole), scale, integers(zeros, ends)]
  if (bits === 4) return [integers(values, whole), scale]
  return [integers(values, whole), scale, plain(f32([], [2 ** (bits - 1)]), 'zero')]
}

type Integers = (list: Int8Array | Float32Array, shape: readonly number[]) => Part

/** As they are, in the type of that name. */
const nibbles: Integers = (list, shape) => cast(plain(tensorOfBytes('int4', shape, packNibbles(list)), 'q'))

/** From 0 on. */
const digitsOf =
  (bits: Bits): Integers =>
  (list, shape) => {
    const unsigned = Uint8Array.from(list, (v) => v + 2 ** (bits - 1))
    return shaped(cast(digits(unsigned, 2 ** bits)), shape)
  }

const cast = (part: Part): Part => ({
  ...part,
  ops: part.ops + 1,
  emit: (r, hint) => r.node('Cast', [part.emit(r, hint)], r.fresh(`${hint}_c`), toFloat),
})

const shaped = (part: Part, shape: readonly number[]): Part => ({
  ...part,
  ops: part.ops + 1,
  constants: part.constants + 1,
  emit: (r, hint) => r.node('Reshape', [part.emit(r, hint), list(r, ...shape)], r.fresh(`${hint}_b`)),
})

/** What `expandBlocks` adds to the parts: two products or less, and the way back to the weight's shape. */
const aroundOf = ({ depth, block, blocksPerRow }: Layout, [, , zeros]: Parts): Omit<Part, 'emit'> => {
  const isWhole = block * blocksPerRow === depth
  return { bytes: 0, ops: (zeros === undefined ? 1 : 2) + (isWhole ? 1 : 3), constants: isWhole ? 1 : 5 }
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
