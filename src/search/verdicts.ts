/** What a measured latency says of a candidate: the one rule for searching, for sentences and for the report. */

import type { Latency } from './trial.js'

/** Repeated measurements of one model differ by about this share. */
const MARGIN = 0.02

/** Beyond doubt: the 95 % interval leaves out 1, and the difference is more than the margin. */
export const isSlower = ({ ratio, interval }: Latency): boolean => interval[0] > 1 && ratio > 1 + MARGIN
export const isFaster = ({ ratio, interval }: Latency): boolean => interval[1] < 1 && ratio < 1 - MARGIN

/** `2.84× faster`, `1.20× slower`, or `the same speed` where neither is beyond doubt. */
export function speed(latency: Latency): string {
  if (isFaster(latency)) return `${factor(1 / latency.ratio)} faster`
  return isSlower(latency) ? `${factor(latency.ratio)} slower` : 'the same speed'
}

/** Three digits: beyond the margin they are never those of 1. */
const factor = (value: number): string => `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)}×`
