/**
 * Grids of two and three values, with one scale a channel: α · {−1, 1} (Rastegari et al. 2016, XNOR-Net) and
 * α · {−1, 0, 1} (Li et al. 2016, Ternary Weight Networks).
 */

import { channelsAlong, forEachChannel } from './channels.js'

export type SignGrid = 'binary' | 'ternary'

/** Δ / mean |w|: about best for normal and for uniform weights (Li et al. 2016, section 2). */
export const THRESHOLD = 0.7

/**
 * The values of a grid that are near a tensor. Binary: α = mean |w|, α · sign(w), the least squared error of all (XNOR-Net,
 * section 3.1, eq. 4 and 6), with sign(0) = 1. Ternary: Δ = 0.7 mean |w|, α = mean of the |w| > Δ, α · sign(w) where
 * |w| > Δ and else 0 (TWN, section 2). Values on the grid stay as they are.
 */
export function onSigns(
  data: Float32Array | Float64Array,
  shape: readonly number[],
  axis: number | null,
  grid: SignGrid,
): Float64Array {
  const { channels, channelOf } = channelsAlong(shape, axis)
  const mean = means(data, channels, channelOf, () => true)
  const least = mean.map((m) => (grid === 'binary' ? Number.NEGATIVE_INFINITY : THRESHOLD * m))
  const scales = grid === 'binary' ? mean : means(data, channels, channelOf, (v, c) => Math.abs(v) > least[c]!)
  const values = new Float64Array(data.length)
  let i = 0
  forEachChannel(data, channelOf, (v, c) => {
    values[i++] = Math.abs(v) > least[c]! ? (v < 0 ? -scales[c]! : scales[c]!) : 0
  })
  return values
}

export interface Signs {
  readonly axis: number | null
  /** α of each index along the axis, or one. */
  readonly scales: Float32Array
  /** −1, 0 or 1; in binary no 0, as α is 0 where all values are. */
  readonly signs: Int8Array
}

/** A tensor as signs and scales, where each of its values is exactly on such a grid; with as few scales as that takes. */
export function signsOf(data: Float32Array, shape: readonly number[], grid: SignGrid): Signs | null {
  const axes = [...shape.keys()].filter((i) => shape[i]! > 1).sort((i, j) => shape[i]! - shape[j]!)
  for (const axis of [null, ...axes]) {
    const scales = exactScales(data, shape, axis, grid)
    if (scales === null) continue
    const zero = grid === 'binary' ? 1 : 0
    return { axis, scales, signs: Int8Array.from(data, (v) => Math.sign(v) || zero) }
  }
  return null
}

/** Null at the first value that is off the grid: of ordinary weights few are looked at. */
function exactScales(
  data: Float32Array,
  shape: readonly number[],
  axis: number | null,
  grid: SignGrid,
): Float32Array | null {
  const { channels, channelOf } = channelsAlong(shape, axis)
  const { run, count } = channelOf
  const scales = new Float32Array(channels).fill(Number.NaN)
  for (let i = 0; i < data.length; i++) {
    const c = Math.floor(i / run) % count
    const size = Math.abs(data[i]!)
    if (size === 0 && grid === 'ternary') continue
    if (Number.isNaN(scales[c])) scales[c] = size
    else if (scales[c] !== size) return null
  }
  return scales.map((s) => (Number.isNaN(s) ? 0 : s))
}

/** Of |w|, over those that count; 0 where none does. */
function means(
  data: ArrayLike<number>,
  channels: number,
  channelOf: ReturnType<typeof channelsAlong>['channelOf'],
  counts: (value: number, channel: number) => boolean,
): Float64Array {
  const sums = new Float64Array(channels)
  const number = new Float64Array(channels)
  forEachChannel(data, channelOf, (v, c) => {
    if (!counts(v, c)) return
    sums[c]! += Math.abs(v)
    number[c]!++
  })
  return sums.map((sum, c) => (number[c] === 0 ? 0 : sum / number[c]!))
}
