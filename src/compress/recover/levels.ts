/** Grids of weights that will be stored as integers, and where on them learned rounding begins. */

import { fitsHalf, scaleRounding } from '../../grids/block-ranges.js'
import { blockLayout, quantizeBlocks } from '../../grids/blocks.js'
import { elements, f32, floats } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import type { Levels } from '../../train/grids/soft.js'
import { type Rounder, stepsAlong } from '../quantize/rounder.js'
import { FULL } from '../quantize/weights.js'
import { bestAxis } from '../store/axis.js'

export interface Grid {
  readonly levels: Levels
  /** In levels. */
  readonly start: Tensor
}

/** Levels between the largest weight and the end of its grid, for the digits that a float16 scale has. */
const NEAR = 0.02

/**
 * The grid that `store/int<bits>` finds for a weight. It begins where the weight is, or beside the level that was chosen for it,
 * but for what is pinned, whatever was chosen for that: the store must find the grid again.
 */
export function gridOf(t: Tensor, bits: number, rounder: Rounder | null): Grid {
  const { steps, nearest, chosen } = bits === 8 ? onChannels(t, rounder) : inBlocks(t, bits, rounder)
  const [low, high] = bits === 8 ? [-FULL, FULL] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
  const data = floats(t)
  // The largest of a block or channel stays, by which the store finds the grid again, and so do zeros.
  const isPeak = (v: number, i: number): boolean =>
    v === 0 || steps[i] === 0 || v / steps[i]! < low + NEAR || (bits === 8 && v / steps[i]! > high - NEAR)
  const pinned = Uint8Array.from(data, (v, i) => Number(isPeak(v, i)))
  const at = (v: number, i: number): number => {
    if (pinned[i]) return nearest[i]!
    return chosen === null ? v / steps[i]! : beside(v / steps[i]!, chosen[i]!)
  }
  return { levels: { steps, low, high, pinned }, start: f32(t.shape, Float32Array.from(data, at)) }
}

/** Levels from the one that was chosen, at most: what is learned may still turn to the next. */
const ROOM = 0.3

const beside = (u: number, level: number): number => Math.min(level + ROOM, Math.max(level - ROOM, u))

/** Element by element. */
interface Rounded {
  readonly steps: Float32Array
  readonly nearest: Int8Array
  readonly chosen: Int8Array | null
}

function onChannels(t: Tensor, rounder: Rounder | null): Rounded {
  const plain = bestAxis(floats(t), t.shape)
  const steps = stepsAlong(floats(plain.scale), t.shape, plain.axis)
  const chosen = rounder && (elements(rounder.channels(t, plain, [FULL], 'stored').values) as Int8Array)
  return { steps, nearest: elements(plain.values) as Int8Array, chosen }
}

/** The default size of a block. */
const BLOCK = 32

function inBlocks(t: Tensor, bits: number, rounder: Rounder | null): Rounded {
  const data = floats(t)
  const { rows, depth, block } = blockLayout(t.shape, BLOCK)
  const plain = quantizeBlocks(data, rows, depth, block, bits, scaleRounding(fitsHalf(data)))
  const better = rounder?.blocks(t, plain, { depth, block, bits }, 'stored')
  const { scales, blocksPerRow } = plain
  const steps = new Float32Array(data.length)
  const [nearest, chosen] = [new Int8Array(data.length), better ? new Int8Array(data.length) : null]
  for (let i = 0; i < data.length; i++) {
    const [row, column] = [Math.floor(i / depth), i % depth]
    const place = row * blocksPerRow * block + column
    steps[i] = scales[row * blocksPerRow + Math.floor(column / block)]!
    nearest[i] = plain.values[place]!
    if (chosen !== null) chosen[i] = better!.values[place]!
  }
  return { steps, nearest, chosen }
}
