/** What a change of a layer's weights does to its outputs. */

import type { Layer } from './layer.js'

/** tr(Δ H Δᵀ): the mean squared error of a column's outputs, summed over them, of weights changed by Δ [groups · rows, depth]. */
export function reconstructionError(
  delta: ArrayLike<number>,
  h: Float64Array,
  { groups, rows, depth }: Pick<Layer, 'groups' | 'rows' | 'depth'>,
): number {
  let sum = 0
  const along = new Float64Array(depth)
  for (let r = 0; r < groups * rows; r++) {
    const from = Math.floor(r / rows) * depth * depth
    along.fill(0)
    for (let i = 0; i < depth; i++) {
      const d = delta[r * depth + i]!
      if (d !== 0) for (let j = 0, at = from + i * depth; j < depth; j++, at++) along[j]! += d * h[at]!
    }
    for (let j = 0; j < depth; j++) sum += delta[r * depth + j]! * along[j]!
  }
  return sum
}

/** after − before. */
export const changeOf = (after: Float32Array, before: Float32Array): Float64Array =>
  Float64Array.from(after, (v, i) => v - before[i]!)
