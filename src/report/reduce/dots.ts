/** Many points as a few short paths of SVG, each of one colour. */

import { shuffled } from './page/paint.js'

/** Places are written as whole tenths of a pixel: the group around the paths is scaled by 1/10. */
export const TENTHS = 10

/** Points of one path do not add up where they overlap, and one group must not lie on top of the others. */
const LAYERS = 8

export interface Dots {
  readonly group: number
  /** For `<path stroke-linecap="round">` without a fill. */
  readonly d: string
}

/** `groups`: of each point. `most`: points that are drawn, of all groups alike. */
export function dots(
  groups: ArrayLike<number>,
  [x, y]: readonly [Int32Array, Int32Array],
  most = Number.POSITIVE_INFINITY,
): readonly Dots[] {
  const layers = Array.from({ length: LAYERS }, () => new Map<number, number[]>())
  for (const [at, i] of shuffled(groups.length).entries()) {
    if (at >= most) break
    const layer = layers[at % LAYERS]!
    const points = layer.get(groups[i]!)
    if (points) points.push(i)
    else layer.set(groups[i]!, [i])
  }
  return layers.flatMap((layer) => [...layer].map(([group, points]) => ({ group, d: dotted(points, x, y) })))
}

/** Dots one after the other, from the top: near ones take fewer digits, and of those in one place one is enough. */
function dotted(points: readonly number[], x: Int32Array, y: Int32Array): string {
  const stripe = (i: number): number => Math.floor(y[i]! / 200)
  const sorted = points.toSorted((a, b) => stripe(a) - stripe(b) || x[a]! - x[b]! || y[a]! - y[b]!)
  let [d, atX, atY] = ['', 0, 0]
  for (const [k, i] of sorted.entries()) {
    const [dx, dy] = [x[i]! - atX, y[i]! - atY]
    if (k > 0 && dx === 0 && dy === 0) continue
    d += `m${dx}${dy < 0 ? '' : ' '}${dy}h0`
    atX = x[i]!
    atY = y[i]!
  }
  return d
}
