/** How far two tensors are apart. */

import { numbers } from '../src/ir/tensor.js'
import type { Tensor } from '../src/ir/types.js'

/**
 * The largest absolute difference, divided by the largest absolute value of the first (by 1 where that is smaller
 * than 1e-6). Infinity where types, shapes or the places of NaN differ.
 */
export function difference(a: Tensor, b: Tensor): number {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY
  const [x, y] = [numbers(a), numbers(b)]
  let worst = 0
  let scale = 0
  for (let i = 0; i < x.length; i++) {
    const [p, q] = [x[i]!, y[i]!]
    if (Object.is(p, q) || p === q) {
      if (Number.isFinite(p)) scale = Math.max(scale, Math.abs(p))
      continue
    }
    const d = Math.abs(p - q)
    if (!Number.isFinite(d)) return Number.POSITIVE_INFINITY
    worst = Math.max(worst, d)
    scale = Math.max(scale, Math.abs(p))
  }
  return worst === 0 ? 0 : worst / (scale < 1e-6 ? 1 : scale)
}
