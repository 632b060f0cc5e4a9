/** What a measured latency says of a candidate: for searching, for sentences and for the report. */

import { verdictOf } from '../engine/timing.js'
import type { Latency } from './trial.js'

const verdict = ({ ratio, interval: [low, high] }: Latency) => verdictOf({ ratio, low, high })

/** Beyond doubt: see `verdictOf`. */
export const isSlower = (latency: Latency): boolean => verdict(latency) === 'slower'
export const isFaster = (latency: Latency): boolean => verdict(latency) === 'faster'

/** `2.84× faster`, `1.20× slower`, or `the same speed` where neither is beyond doubt. */
export function speed(latency: Latency): string {
  if (isFaster(latency)) return `${factor(1 / latency.ratio)} faster`
  return isSlower(latency) ? `${factor(latency.ratio)} slower` : 'the same speed'
}

/** Three digits: beyond the margin they are never those of 1. */
const factor = (value: number): string => `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)}×`
