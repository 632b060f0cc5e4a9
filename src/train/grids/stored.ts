/** Weights as `quantize` stores them, whatever reads them: as nodes for the forward pass, and as they are handed back. */

import { roundEven } from '../../grids/affine.js'
import { fitsHalf, scaleRounding } from '../../grids/block-ranges.js'
import { blockLayout, quantizeBlocks } from '../../grids/blocks.js'
import { channelsAlong, ELEMENTS_PER_SCALE, forEachChannel } from '../../grids/channels.js'
import { LEAST_INTEGER } from '../../grids/least.js'
import { int } from '../../ir/attrs.js'
import type { Builder } from '../../ir/builder.js'
import { codeOfDType } from '../../ir/dtypes.js'
import { elementCount, floatTensor, numbers } from '../../ir/tensor.js'
import type { DType, Graph, Tensor } from '../../ir/types.js'
import { list, onChannels, onRowBlocks, type RowBlocks } from './integers.js'

/** 8 bits with a scale a channel, fewer with one a block. */
const BITS = {
  'store-int8': 8,
  'store-int6': 6,
  'store-int5': 5,
  'store-int4': 4,
  'store-int3': 3,
  'store-int2': 2,
} as const
/** What `quantize` stores by these names. */
export type StoredGrid = keyof typeof BITS

export const isStoredGrid = (grid: string | undefined): grid is StoredGrid =>
  grid !== undefined && Object.hasOwn(BITS, grid)

const BLOCK = 32

/** The weights that are rounded. */
export const storedWeights = ({ constants }: Graph, trainable: readonly string[]): readonly string[] =>
  trainable.filter((name) => elementCount(constants.get(name)?.shape ?? []) >= LEAST_INTEGER)

/** The first axis of whose scales each serves enough elements; null where one scale must serve all. */
function channelsOf(shape: readonly number[]): number | null {
  const count = elementCount(shape)
  const axis = shape.findIndex((d) => d > 1 && count / d >= ELEMENTS_PER_SCALE)
  return axis < 0 ? null : axis
}

const layoutOf = (shape: readonly number[], grid: StoredGrid): RowBlocks => ({
  ...blockLayout(shape, BLOCK),
  bits: BITS[grid],
})

/** Whether scales become float16 is decided once, by the weight that training begins with. */
export function onStored(b: Builder, w: string, t: Tensor, grid: StoredGrid): string {
  const { shape, dtype } = t
  if (grid === 'store-int8') return onChannels(b, w, shape, channelsOf(shape))
  const layout = layoutOf(shape, grid)
  const { rows, depth } = layout
  const cast = (x: string, to: DType): string => b.op('Cast', [x], { attrs: { to: int(codeOfDType(to)) } })
  const roundScale = (scale: string): string => cast(cast(scale, 'float16'), dtype)
  const flat = b.op('Reshape', [w, list(b, [rows, depth])])
  const rounded = onRowBlocks(b, flat, { ...layout, ...(fitsHalf(numbers(t)) && { roundScale }) })
  return b.op('Reshape', [rounded, list(b, shape)])
}

/** The weights with those that are stored in few bits on their grid, so that storing changes nothing. */
export function weightsOnStored(
  graph: Graph,
  grid: StoredGrid,
  weights: ReadonlyMap<string, Tensor>,
  trainable: readonly string[],
): ReadonlyMap<string, Tensor> {
  // What moves beside them, running statistics, is on no grid.
  const held = new Set(storedWeights(graph, trainable))
  return new Map(
    [...weights].map(([name, t]) => [
      name,
      held.has(name) ? floatTensor(t.dtype, t.shape, rounded(numbers(t), t.shape, grid)) : t,
    ]),
  )
}

type Numbers = Float32Array | Float64Array

const rounded = (data: Numbers, shape: readonly number[], grid: StoredGrid): Float64Array =>
  grid === 'store-int8' ? inChannels(data, shape) : inBlocks(data, layoutOf(shape, grid))

function inChannels(data: Numbers, shape: readonly number[]): Float64Array {
  const { channels, channelOf } = channelsAlong(shape, channelsOf(shape))
  const peaks = new Float64Array(channels)
  forEachChannel(data, channelOf, (v, c) => {
    peaks[c] = Math.max(peaks[c]!, Math.abs(v))
  })
  const scales = Float32Array.from(peaks, (peak) => peak / 127 || 1)
  const values = new Float64Array(data.length)
  let i = 0
  forEachChannel(data, channelOf, (v, c) => {
    values[i++] = scales[c]! * roundEven(v / scales[c]!)
  })
  return values
}

function inBlocks(data: Numbers, { rows, depth, block, bits }: RowBlocks): Float64Array {
  const roundScale = scaleRounding(fitsHalf(data))
  const { values, scales, blocksPerRow } = quantizeBlocks(data, rows, depth, block, bits, roundScale)
  return Float64Array.from(data, (_, i) => {
    const [row, column] = [Math.floor(i / depth), i % depth]
    const inRow = Math.floor(column / block)
    return scales[row * blocksPerRow + inRow]! * values[row * blocksPerRow * block + column]!
  })
}
