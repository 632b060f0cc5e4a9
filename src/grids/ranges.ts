/**
 * Ranges: from what a tensor was seen to hold to the interval that its grid should cover. One function a method,
 * all over a streamed histogram.
 */

import { affineGrid, dequantizeValue, type Grid, type GridOptions, gridRange, quantizeValue } from './affine.js'
import type { Histogram } from './histogram.js'

export type RangeMethod = 'min-max' | 'percentile' | 'entropy' | 'mse'
export const RANGE_METHODS: readonly RangeMethod[] = ['min-max', 'percentile', 'entropy', 'mse']

export type Range = readonly [lo: number, hi: number]

export interface RangeOptions extends GridOptions {
  /** Share of values that a percentile range keeps. Default 0.9999. */
  readonly keep?: number
}

/** The interval [lo, hi] that the method asks for; it never exceeds what was seen. Of ends alone, these ends. */
export function rangeOf(h: Histogram, method: RangeMethod, options: RangeOptions): Range {
  if (h.count === 0) return [0, 0]
  if (h.positive.length === 0) return [h.min, h.max]
  switch (method) {
    case 'min-max':
      return [h.min, h.max]
    case 'percentile':
      return percentileRange(h, options.keep ?? 0.9999)
    case 'mse':
      return mseRange(h, options)
    case 'entropy':
      return entropyRange(h, options)
  }
}

/** Cuts half of `1 − keep` of the values at each end (all of it at one end where zero bounds the other). */
function percentileRange(h: Histogram, keep: number): Range {
  const oneSided = h.min >= 0 || h.max <= 0
  const cut = (h.count * (1 - keep)) / (oneSided ? 1 : 2)
  const hi = h.max <= 0 ? h.max : Math.min(h.max, quantileFromTop(h.positive, h.width, cut))
  const lo = h.min >= 0 ? h.min : Math.max(h.min, -quantileFromTop(h.negative, h.width, cut))
  return [lo, hi]
}

/** Distance from zero beyond which no more than `cut` values lie. */
function quantileFromTop(bins: Float64Array, width: number, cut: number): number {
  let seen = 0
  for (let i = bins.length - 1; i >= 0; i--) {
    seen += bins[i]!
    if (seen > cut) return (i + 1) * width
  }
  return 0
}

/** Shares of the seen range that the searches try: from all of it down to 3 %. */
const SHARES: readonly number[] = Array.from({ length: 80 }, (_, i) => 1 - i * 0.01225)

function search(h: Histogram, loss: (lo: number, hi: number) => number): Range {
  let best: Range = [h.min, h.max]
  let least = Number.POSITIVE_INFINITY
  for (const share of SHARES) {
    const range: Range = [h.min * share, h.max * share]
    const value = loss(...range)
    if (value < least) {
      least = value
      best = range
    }
  }
  return best
}

/** The range whose grid has the least mean squared error over the histogram. */
function mseRange(h: Histogram, options: GridOptions): Range {
  return search(h, (lo, hi) => squaredError(h, affineGrid(lo, hi, options), [h.min, h.max]))
}

/** Sum of squared errors of a grid over the histogram, each value at the middle of its bin; values outside `within` aside. */
function squaredError(h: Histogram, grid: Grid, [low, high]: Range): number {
  let sum = 0
  const add = (bins: Float64Array, sign: number, reach: number): void => {
    const end = Math.min(bins.length, Math.floor(reach / h.width) + 1)
    for (let i = 0; i < end; i++) {
      const n = bins[i]!
      if (n === 0) continue
      const x = sign * (i + 0.5) * h.width
      const e = x - dequantizeValue(quantizeValue(x, grid), grid)
      sum += n * e * e
    }
  }
  if (high >= 0) add(h.positive, 1, high)
  if (low < 0) add(h.negative, -1, -low)
  return sum
}

/** Values that a bin holds on average from which on their divergence is more than chance. */
const FILLED = 30
/** Squared error, as a multiple of that of the whole range, that no entropy range may exceed. */
const WORST = 4

/**
 * The range whose grid loses the least information: Kullback-Leibler divergence between the histogram, clipped
 * (what lies outside falls on the outermost bins), and its quantized form, in which the values of one grid step
 * are spread evenly over the bins of that step that were not empty.
 * Migacz 2017, "8-bit Inference with TensorRT".
 *
 * Divergence knows nothing of distances: a range that costs most values much of their accuracy is passed over. The
 * few at the ends do not count there, for cutting them is the purpose.
 */
function entropyRange(h: Histogram, options: GridOptions): Range {
  const { bins, width } = density(h)
  const most = percentileRange(h, 0.9999)
  const bound = WORST * squaredError(h, affineGrid(h.min, h.max, options), most)
  return search(h, (lo, hi) => {
    const grid = affineGrid(lo, hi, options)
    const isWhole = lo === h.min && hi === h.max
    if (!isWhole && squaredError(h, grid, most) > bound) return Number.POSITIVE_INFINITY
    const [low, high] = gridRange(grid)
    return divergence(bins, width, Math.max(low, h.min), Math.min(high, h.max), grid.scale)
  })
}

/** Counts from the least to the greatest bin, zero in the middle. */
interface Density {
  readonly bins: Float64Array
  readonly width: number
}

/**
 * Bins wide enough to hold some values each: of few values in many bins the divergence would be noise. The bins at
 * zero count no more than their neighbours do: after Relu half of all values are zero, which every grid holds exactly.
 */
function density(h: Histogram): Density {
  let [positive, negative] = [withoutSpike(h.positive), withoutSpike(h.negative)]
  let width = h.width
  while (positive.length > 1 && meanCount(positive, negative) < FILLED) {
    positive = merged(positive)
    negative = merged(negative)
    width *= 2
  }
  const n = positive.length
  const bins = new Float64Array(2 * n)
  for (let i = 0; i < n; i++) {
    bins[n + i] = positive[i]!
    bins[n - 1 - i] = negative[i]!
  }
  return { bins, width }
}

function withoutSpike(bins: Float64Array): Float64Array {
  const out = bins.slice()
  out[0] = Math.min(bins[0]!, bins.find((n, i) => i > 0 && n > 0) ?? bins[0]!)
  return out
}

/** Values in a bin that is not empty, on average. */
function meanCount(...sides: readonly Float64Array[]): number {
  let sum = 0
  let filled = 0
  for (const bins of sides)
    for (const n of bins) {
      sum += n
      if (n > 0) filled++
    }
  return filled === 0 ? 0 : sum / filled
}

const merged = (bins: Float64Array): Float64Array =>
  Float64Array.from({ length: bins.length / 2 }, (_, i) => bins[2 * i]! + bins[2 * i + 1]!)

function divergence(bins: Float64Array, width: number, lo: number, hi: number, step: number): number {
  const n = bins.length / 2
  // A bin on the positive side has its lower end, one on the negative side its upper end.
  const first = lo < 0 ? Math.max(0, n - 1 - Math.floor(-lo / width)) : n
  const last = hi > 0 ? Math.min(bins.length - 1, n + Math.floor(hi / width)) : n - 1
  if (last <= first) return Number.POSITIVE_INFINITY
  const reference = bins.slice(first, last + 1)
  for (let i = 0; i < first; i++) reference[0]! += bins[i]!
  for (let i = last + 1; i < bins.length; i++) reference[reference.length - 1]! += bins[i]!

  const cellOf = (i: number): number => Math.round(((first + i - n + 0.5) * width) / step)
  let total = 0
  for (const p of reference) total += p
  let kl = 0
  for (let start = 0; start < reference.length; ) {
    const cell = cellOf(start)
    let end = start
    let inside = 0
    let filled = 0
    while (end < reference.length && cellOf(end) === cell) {
      // The quantized side sees only what really lies in the bin, not what clipping put there.
      const own = bins[first + end]!
      inside += own
      if (own > 0) filled++
      end++
    }
    for (let i = start; i < end; i++) {
      const p = reference[i]! / total
      if (p === 0) continue
      const q = bins[first + i]! > 0 ? inside / filled / total : 0
      kl += q > 0 ? p * Math.log(p / q) : p * LARGE
    }
    start = end
  }
  return kl
}

/** Stands for log(p/0): large and finite, so that candidates can still be compared. */
const LARGE = 1e3
