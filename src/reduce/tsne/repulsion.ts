/** What repulsion of points in a map is made of, however it is summed up. */

import type { Call } from './crew.js'

/** How repulsion is summed up: all pairs, a tree, or a grid. */
export type RepulsionMethod = 'exact' | 'barnes-hut' | 'grid'

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

/** Numbers from one point to the next. */
export const strideOf = (dims: number): 2 | 4 => (dims === 2 ? 2 : 4)

export function boxOf(points: ArrayLike<number>, count: number, dims: number, stride: number): Box {
  const low = new Array<number>(dims).fill(Number.POSITIVE_INFINITY)
  const high = new Array<number>(dims).fill(Number.NEGATIVE_INFINITY)
  for (let i = 0; i < count; i++)
    for (let d = 0; d < dims; d++) {
      low[d] = Math.min(low[d]!, points[i * stride + d]!)
      high[d] = Math.max(high[d]!, points[i * stride + d]!)
    }
  return { low, high }
}

export interface Target extends Points {
  /** Of each point: Σ (yᵢ − yⱼ) / (1 + d²)², [count, stride], and Σ 1 / (1 + d²), [count], over all points but itself. */
  readonly out: number
  readonly values: number
  /** Whether they are the points that repel. */
  readonly isCharge: boolean
}

export interface Repulsion {
  /** Takes in where the points are that repel. */
  place(points: Points, box: Box): void
  /** The calls that give a part of the targets what they are repelled by; the last one returns the sum of the values. */
  callsOf(target: Target, from: number, to: number, part: number): readonly Call[]
}
