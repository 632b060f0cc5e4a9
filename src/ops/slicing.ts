/** What a Slice takes of each axis. */

import type { Dim } from '../ir/types.js'
import type { Call } from './def.js'
import { dimList, intList, isStatic, malformed, normalizeAxes, unknownDims, whereOf } from './shapes.js'

/** Sizes stay below this, so a bound at or beyond it is open. Exporters write 10⁹ or the largest int32 or int64. */
const OPEN = 1e9

export interface Range {
  readonly first: number
  readonly step: number
  readonly count: number
}

/** The elements that start:end:step takes of an axis of `size`, as the operator clamps them. */
function rangeOf(start: number, end: number, step: number, size: number): Range {
  const clamp = (i: number, low: number, high: number) => Math.min(Math.max(i < 0 ? i + size : i, low), high)
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1]
  const first = clamp(start, Math.max(low, 0), high)
  const last = clamp(end, low, high)
  return { first, step, count: Math.max(0, Math.ceil((last - first) / step)) }
}

/** The size of a sliced axis where a size or a bound is not a number: null unless the slice takes all. */
function slicedDim(size: Dim, start: Dim, end: Dim, step: Dim): Dim {
  const all =
    (step === 1 && start === 0 && (end === size || (typeof end === 'number' && end >= OPEN))) ||
    (step === -1 &&
      typeof end === 'number' &&
      end <= -OPEN &&
      (start === -1 || (typeof start === 'number' && start >= OPEN)))
  return all ? size : null
}

export interface Slice {
  readonly shape: readonly Dim[]
  /** What is taken of each axis; null where unknown. */
  readonly ranges: readonly (Range | null)[]
}

/** Bounds are attributes up to opset 9 and inputs since. */
export function sliced(call: Call, shape: readonly Dim[]): Slice {
  const where = whereOf(call)
  const [starts, ends, steps] = [dimList(call, 'starts', 1), dimList(call, 'ends', 2), dimList(call, 'steps', 4)]
  const axes = intList(call, 'axes', 3)
  const count = starts?.length ?? ends?.length ?? null
  const given = axes === undefined && count !== null ? Array.from({ length: count }, (_, i) => i) : (axes ?? null)
  if (given === null) return { shape: unknownDims(shape.length), ranges: shape.map(() => null) }
  const out = [...shape]
  const ranges: (Range | null)[] = shape.map((d) => (typeof d === 'number' ? { first: 0, step: 1, count: d } : null))
  normalizeAxes(given, shape.length, where).forEach((axis, i) => {
    const [size, start, end] = [shape[axis]!, starts?.[i] ?? null, ends?.[i] ?? null]
    const step = steps === undefined ? 1 : (steps?.[i] ?? null)
    if (step === 0) throw malformed(where, 'a step is 0', steps)
    if (isStatic([size, start, end, step])) {
      const range = rangeOf(start as number, end as number, step as number, size as number)
      ranges[axis] = range
      out[axis] = range.count
    } else {
      ranges[axis] = null
      out[axis] = slicedDim(size, start, end, step)
    }
  })
  return { shape: out, ranges }
}
