/**
 * Weights in blocks of 2 to 6 bits, each with a float16 scale and, where asked for, a zero point: (q − zero) · scale.
 * Weights of a graph lie in pools, which are taken apart and multiplied as one: in small models what a weight takes
 * beside its bits is as much of the file as the bits.
 */

import { BLOCK_RANGES, type BlockRange, fitsHalf, scaleRounding } from '../../grids/block-ranges.js'
import { blockLayout, quantizeBlocks } from '../../grids/blocks.js'
import { floats } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { type Rounder, roundingParam } from '../quantize/rounder.js'
import { DIGITS_OPSET } from './digits.js'
import { type ExpandAll, overhead } from './expand.js'
import { type Bits, type Blocked, poolBytes, poolsOf } from './pool.js'
import { storeTransform } from './transform.js'

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
        doc: 'about so many weights share a scale',
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

const expandBlocks =
  (bits: Bits, params: BlockParams, rounder: Rounder): ExpandAll =>
  (r, constants) => {
    const weights = constants.flatMap(([name, t]) => blocked(name, t, bits, params, rounder) ?? [])
    return new Map(poolsOf(weights, bits).flatMap((pool) => [...pool.emit(r)]))
  }

/** Null where the weight would not become smaller. */
function blocked(
  name: string,
  t: Tensor,
  bits: Bits,
  { block: size, range, zeroPoints }: BlockParams,
  rounder: Rounder,
): Blocked | null {
  const data = floats(t)
  const { rows, depth, block } = blockLayout(t.shape, Number(size))
  const isHalf = fitsHalf(data)
  const nearest = quantizeBlocks(data, rows, depth, block, bits, scaleRounding(isHalf), { range, hasZeros: zeroPoints })
  const plain: Blocked = { name, t, blocks: nearest, block, isHalf }
  // What rounding chooses anew takes as much room.
  if (poolBytes(plain, bits) + overhead(name, 1, 2) >= t.byteLength) return null
  return { ...plain, blocks: rounder.blocks(t, nearest, { depth, block, bits }, 'stored') }
}
