/**
 * A histogram of a stream: fixed memory, exact minimum and maximum, bins on both sides of zero.
 * When a value lies outside, the bin width doubles and neighbouring bins merge: one pass is enough. Widths are
 * powers of two, so the result does not depend on the order of the stream nor on how it was cut into batches.
 */

const BINS = 2048

export interface Histogram {
  /** Width of a bin; bin i of `positive` covers [i·width, (i+1)·width), of `negative` the mirror image. */
  readonly width: number
  readonly positive: Float64Array
  readonly negative: Float64Array
  readonly min: number
  readonly max: number
  /** Finite values counted. */
  readonly count: number
  /** NaN and infinite values seen. */
  readonly nonFinite: number
}

/** Mutable while it collects; `snapshot()` gives the plain data. */
export interface HistogramCollector {
  add(values: Float32Array): void
  /** Tells the ends of values of which only some are counted; an end that is not finite counts as such a value. */
  span(min: number, max: number): void
  snapshot(): Histogram
}

export function histogramCollector(): HistogramCollector {
  const positive = new Float64Array(BINS)
  const negative = new Float64Array(BINS)
  let width = 0
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  let count = 0
  let nonFinite = 0

  const widen = (reach: number): void => {
    if (width === 0) {
      width = powerOfTwoAbove(reach) / BINS
      return
    }
    while (reach >= width * BINS) {
      mergePairs(positive)
      mergePairs(negative)
      width *= 2
    }
  }

  const span = (low: number, high: number): void => {
    if (!Number.isFinite(low) || !Number.isFinite(high)) {
      nonFinite++
      return
    }
    min = Math.min(min, low)
    max = Math.max(max, high)
    const reach = Math.max(-min, max)
    if (reach > 0) widen(reach)
  }

  return {
    span,
    add(values) {
      const seen = extremes(values)
      nonFinite += values.length - seen.finite
      if (seen.finite === 0) return
      span(seen.min, seen.max)
      const inverse = width === 0 ? 0 : 1 / width
      const last = BINS - 1
      const allFinite = seen.finite === values.length
      for (let i = 0; i < values.length; i++) {
        const v = values[i]!
        if (!allFinite && v - v !== 0) continue
        count++
        if (v >= 0) positive[Math.min(last, (v * inverse) | 0)]!++
        else negative[Math.min(last, (-v * inverse) | 0)]!++
      }
    },
    snapshot: () => ({
      width: width === 0 ? 1 : width,
      positive: positive.slice(),
      negative: negative.slice(),
      min: min > max ? 0 : min,
      max: min > max ? 0 : max,
      count,
      nonFinite,
    }),
  }
}

interface Extremes {
  readonly min: number
  readonly max: number
  readonly finite: number
}

/** Of the finite values. The first loop serves data without NaN and infinities, whose differences with themselves are 0. */
function extremes(values: Float32Array): Extremes {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  let doubt = 0
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!
    if (v < min) min = v
    if (v > max) max = v
    doubt += v - v
  }
  if (doubt === 0) return { min, max, finite: values.length }
  const finite = values.filter(Number.isFinite)
  return finite.length === 0 ? { min, max, finite: 0 } : extremes(finite)
}

/** A histogram of which only the range is known: enough for min-max grids, and far cheaper. */
export function rangeOnly(min: number, max: number, count: number, nonFinite = 0): Histogram {
  return { width: 1, positive: new Float64Array(0), negative: new Float64Array(0), min, max, count, nonFinite }
}

/** The smallest power of two above x: widths that are powers of two make the result independent of batch order. */
function powerOfTwoAbove(x: number): number {
  const p = 2 ** Math.ceil(Math.log2(x))
  return p > x ? p : 2 * p
}

function mergePairs(bins: Float64Array): void {
  const half = bins.length / 2
  for (let i = 0; i < half; i++) bins[i] = bins[2 * i]! + bins[2 * i + 1]!
  bins.fill(0, half)
}
