/** What a map is painted from, whoever paints it. */

import type { Places } from './near.js'
import type { Stage, View } from './view.js'

export interface Scene {
  /** `#rrggbb` of each group. */
  readonly colours: readonly string[]
  /** Group of each point. */
  readonly groups: Uint8Array
  readonly isHidden: readonly boolean[]
  /** 1 for each point that was chosen; null where none is, and all are equal. */
  readonly chosen: Uint8Array | null
}

export interface Painter {
  readonly name: 'webgl' | 'canvas'
  /** After colours, hidden groups or the choice have changed. */
  setScene(scene: Scene): void
  /** `pixelRatio`: device pixels a pixel of the stage; `diameter` of a point in pixels of the stage. */
  paint(view: View, stage: Stage, pixelRatio: number, diameter: number): void
}

export interface PaintedPoints extends Places {
  /** The order in which points are painted: of all classes by turns, so that none lies on top of the others. */
  readonly order: Uint32Array
}

export const OPACITY = 0.8
export const FADED = 0.12

/** A fixed shuffle, by a full-period linear congruence (Knuth, TAOCP 2, 3.2.1.2) with numbers that are too large left out. */
export function shuffled(n: number): Uint32Array {
  const order = new Uint32Array(n)
  let size = 1
  while (size < n) size *= 2
  let [value, filled] = [0, 0]
  for (let i = 0; i < size; i++) {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) & (size - 1)
    if (value < n) order[filled++] = value
  }
  return order
}

/** Fewer points are larger, and so are those that are looked at closely. */
export function diameterOf(n: number, { width, height }: Stage, zoom: number): number {
  const whole = Math.min(9, Math.max(2.2, 0.55 * Math.sqrt((width * height) / n)))
  return Math.min(14, whole * Math.max(1, zoom) ** 0.3)
}
