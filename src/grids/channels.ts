/** Elements of a tensor by their channel: the index along one axis, or one channel for all. */

import { elementCount } from '../ir/tensor.js'

/** Fewest elements for each scale along an axis: below that the scales outweigh what they save. */
export const ELEMENTS_PER_SCALE = 8

export interface Channels {
  readonly channels: number
  /** Elements that follow each other in one channel. */
  readonly channelOf: { readonly run: number; readonly count: number }
}

export function channelsAlong(shape: readonly number[], axis: number | null): Channels {
  if (axis === null) return { channels: 1, channelOf: { run: Math.max(1, elementCount(shape)), count: 1 } }
  return { channels: shape[axis]!, channelOf: { run: elementCount(shape.slice(axis + 1)), count: shape[axis]! } }
}

export function forEachChannel(
  data: ArrayLike<number>,
  { run, count }: Channels['channelOf'],
  visit: (value: number, channel: number) => void,
): void {
  if (run === 0) return
  let channel = 0
  for (let start = 0; start < data.length; start += run) {
    for (let i = start; i < start + run; i++) visit(data[i]!, channel)
    channel = channel + 1 === count ? 0 : channel + 1
  }
}
