/** What a measured latency says of a candidate: for searching, for sentences and for the report. */

import { isTold, MARGIN, verdictOf } from '../engine/timing.js'
import type { Latency } from './trial.js'

const plain = ({ ratio, interval: [low, high] }: Latency) => ({ ratio, low, high })

/** Beyond doubt: see `verdictOf`. */
export const isSlower = (latency: Latency): boolean => verdictOf(plain(latency)) === 'slower'
export const isFaster = (latency: Latency): boolean => verdictOf(plain(latency)) === 'faster'

/**
 * Slower beyond doubt, or more slower than repeated measurements differ by and so roughly measured that the doubt is
 * not in its favour: what may be handed back is no such.
 */
export const maybeSlower = (latency: Latency): boolean =>
  isSlower(latency) || (latency.ratio > 1 + MARGIN && !isTold(plain(latency)))

/**
 * `2.84× faster`, `1.20× slower`, or where neither is beyond doubt `the same speed`, or `speed not told apart (0.90–1.20 of the
 * original’s time)` where the measurement is too rough to say that.
 */
export function speed(latency: Latency): string {
  if (isFaster(latency)) return `${factor(1 / latency.ratio)} faster`
  if (isSlower(latency)) return `${factor(latency.ratio)} slower`
  if (isTold(plain(latency))) return 'the same speed'
  const [low, high] = latency.interval.map((v) => v.toFixed(2))
  return `speed not told apart (${low}–${high} of the original’s time)`
}

/** Three digits: beyond the margin they are never those of 1. */
const factor = (value: number): string => `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)}×`
