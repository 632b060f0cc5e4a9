/** What a score is: it says how much each unit of a group is worth, so that the cheapest can go. */

import type { Model, Tensor } from '../../../ir/types.js'
import type { TransformEnv } from '../../transform.js'
import type { Group, Slice } from '../groups.js'

export interface ScoreContext {
  /** The model that the groups were found in. */
  readonly model: Model
  readonly env: TransformEnv
}

export interface Score {
  readonly id: string
  /** One sentence for help and reports. */
  readonly summary: string
  /** Paper, year, equation. */
  readonly source: string
  /** What it looks at beside the model: nothing, outputs of layers on samples, or gradients on samples with labels. */
  readonly needs: 'weights' | 'activations' | 'gradients'
  /** One number a unit, in the order of the group's; the smaller, the less is lost. Comparable within a group. */
  score(groups: readonly Group[], context: ScoreContext): Promise<ReadonlyMap<Group, Float64Array>>
}

/** Calls `see` with the position, in row-major order, of every element of a slice. */
export function eachElement({ shape }: Tensor, { axis, indices }: Slice, see: (position: number) => void): void {
  const inner = shape.slice(axis + 1).reduce((n, d) => n * d, 1)
  const outer = shape.slice(0, axis).reduce((n, d) => n * d, 1)
  for (let o = 0; o < outer; o++) {
    for (const k of indices) {
      const start = (o * shape[axis]! + k) * inner
      for (let i = start; i < start + inner; i++) see(i)
    }
  }
}
