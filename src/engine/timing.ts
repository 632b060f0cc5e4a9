/** Statistics of interleaved timings: what a run takes, and whether one model is faster than another. */

import { PareError } from '../util/errors.js'
import { random } from '../util/random.js'

export interface TimingSummary {
  readonly p50: number
  readonly p95: number
  readonly mean: number
  readonly min: number
}

/** Milliseconds in, milliseconds out. Percentiles interpolate linearly between readings. */
export function summary(runs: readonly number[]): TimingSummary {
  if (runs.length === 0) throw noRuns()
  const sorted = [...runs].sort((a, b) => a - b)
  return {
    p50: quantileOf(sorted, 0.5),
    p95: quantileOf(sorted, 0.95),
    mean: runs.reduce((sum, v) => sum + v, 0) / runs.length,
    min: sorted[0]!,
  }
}

export interface Ratio {
  /** Time of `b` over time of `a`: below 1, `b` is faster. */
  readonly ratio: number
  /** 95 % interval of the ratio. */
  readonly low: number
  readonly high: number
  /** What `b` is, where the interval leaves no doubt and the difference is more than 2 %. */
  readonly verdict: 'faster' | 'slower' | 'same'
}

export interface RatioOptions {
  readonly seed?: number
  /** Ratios within 1 ± this are `same`. Default 0.02: repeated measurements of one model differ by about that. */
  readonly margin?: number
}

/** Repeated measurements of one model differ by about this share. */
export const MARGIN = 0.02

const RESAMPLES = 1000

/**
 * The median of the ratios b[i]/a[i] of readings taken in the same round, so that drift cancels; its interval by the
 * percentile bootstrap (Efron and Tibshirani 1993, ch. 13) over rounds.
 */
export function ratio(
  a: readonly number[],
  b: readonly number[],
  { seed = 0, margin = MARGIN }: RatioOptions = {},
): Ratio {
  const rounds = Math.min(a.length, b.length)
  if (rounds === 0) throw noRuns()
  const logs = Float64Array.from({ length: rounds }, (_, i) => Math.log(b[i]! / a[i]!))
  const { integer } = random(seed)
  const medians = Float64Array.from({ length: RESAMPLES }, () =>
    medianOf(Float64Array.from({ length: rounds }, () => logs[integer(rounds)]!)),
  ).sort()
  const centre = Math.exp(medianOf(logs.slice()))
  const low = Math.exp(quantileOf(medians, 0.025))
  const high = Math.exp(quantileOf(medians, 0.975))
  return { ratio: centre, low, high, verdict: verdictOf({ ratio: centre, low, high }, margin) }
}

/** Beyond doubt: the interval leaves out 1, and the difference is more than the margin. */
export function verdictOf({ ratio, low, high }: Omit<Ratio, 'verdict'>, margin = MARGIN): Ratio['verdict'] {
  if (high < 1 && ratio < 1 - margin) return 'faster'
  return low > 1 && ratio > 1 + margin ? 'slower' : 'same'
}

/**
 * Whether more rounds would tell nothing new to a user: one is faster or slower beyond doubt, or the interval is
 * narrower than what repeated measurements of one model differ by.
 */
export const isTold = (ratio: Omit<Ratio, 'verdict'>, margin = MARGIN): boolean =>
  verdictOf(ratio, margin) !== 'same' || ratio.high - ratio.low <= 2 * margin * ratio.ratio

const medianOf = (values: Float64Array): number => quantileOf(values.sort(), 0.5)

function quantileOf(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1)
  const low = Math.floor(at)
  const a = sorted[low]!
  return a + (at - low) * ((sorted[low + 1] ?? a) - a)
}

const noRuns = () => new PareError('TIMING_EMPTY', 'no readings', { remedy: 'Measure at least one round.' })
