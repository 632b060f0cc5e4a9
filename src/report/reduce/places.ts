/** Where the points of a map lie on a square picture. */

import { boundsOf, type PointMap } from './point-map.js'

/** Whole pixels of a square, y downwards, with the same scale along both axes. */
export function placesOn(map: PointMap, side: number, margin: number): readonly [Int32Array, Int32Array] {
  const [left, right, low, high] = boundsOf(map)
  const scale = (side - 2 * margin) / (Math.max(right - left, high - low) || 1)
  const [middleX, middleY] = [(left + right) / 2, (low + high) / 2]
  return [
    Int32Array.from(map.x, (v) => Math.round(side / 2 + (v - middleX) * scale)),
    Int32Array.from(map.y, (v) => Math.round(side / 2 - (v - middleY) * scale)),
  ]
}
