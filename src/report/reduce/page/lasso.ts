/** Points inside a closed line. */

import type { Places } from './near.js'

/** x, y, x, y, …: the corners, the last joined to the first. */
export type Outline = readonly number[]

export const rectangle = (x0: number, y0: number, x1: number, y1: number): Outline => [x0, y0, x1, y0, x1, y1, x0, y1]

/** 1 for each point inside, by the rule of even and odd crossings (Shimrat 1962). */
export function inside(outline: Outline, { x, y }: Places): Uint8Array {
  const found = new Uint8Array(x.length)
  const corners = outline.length / 2
  if (corners < 3) return found
  let [left, right, low, high] = [outline[0]!, outline[0]!, outline[1]!, outline[1]!]
  for (let k = 1; k < corners; k++) {
    left = Math.min(left, outline[2 * k]!)
    right = Math.max(right, outline[2 * k]!)
    low = Math.min(low, outline[2 * k + 1]!)
    high = Math.max(high, outline[2 * k + 1]!)
  }
  for (let i = 0; i < x.length; i++) {
    const [px, py] = [x[i]!, y[i]!]
    if (px < left || px > right || py < low || py > high) continue
    let isIn = false
    let [ax, ay] = [outline[2 * corners - 2]!, outline[2 * corners - 1]!]
    for (let k = 0; k < corners; k++) {
      const [bx, by] = [outline[2 * k]!, outline[2 * k + 1]!]
      if (ay > py !== by > py && px < ax + ((py - ay) / (by - ay)) * (bx - ax)) isIn = !isIn
      ax = bx
      ay = by
    }
    if (isIn) found[i] = 1
  }
  return found
}
