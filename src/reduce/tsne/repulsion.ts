/** What repulsion of points in a map is made of, however it is summed up. */

import type { Call } from './crew.js'

/** Points of a map: [count, stride], of which the first `dims` count. */
export interface Points {
  /** Address of float32. */
  readonly at: number
  readonly count: number
  readonly dims: number
  /** 2, or 4 where there are more than two numbers. */
  readonly stride: number
}

/** Of the points, by coordinate: the least and the largest. */
export interface Box {
  readonly low: readonly number[]
  readonly high: readonly number[]
}

export interface Target extends Points {
  /** Of each point: Σ (yᵢ − yⱼ) / (1 + d²)², [count, stride], and Σ 1 / (1 + d²), [count], itself among j. */
  readonly out: number
  readonly values: number
}

export interface Repulsion {
  /** Takes in where the points are that repel. */
  place(points: Points, box: Box): void
  /** The calls that give a part of the targets what they are repelled by; the last one returns the sum of the values. */
  callsOf(target: Target, from: number, to: number, part: number): readonly Call[]
}
