/** Marks of groups of points: a shape and a colour each, so that colour is not all that tells them apart. */

import { html, type Markup } from '../html.js'
import { round } from './axes.js'

const SHAPES: readonly ((x: number, y: number, r: number) => string)[] = [
  (x, y, r) => `M${round(x - r)},${round(y)}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`,
  (x, y, r) => `M${round(x - r)},${round(y - r)}h${2 * r}v${2 * r}h${-2 * r}Z`,
  (x, y, r) => `M${round(x)},${round(y - 1.2 * r)}L${round(x + 1.1 * r)},${round(y + 0.8 * r)}H${round(x - 1.1 * r)}Z`,
  (x, y, r) => `M${round(x)},${round(y + 1.2 * r)}L${round(x + 1.1 * r)},${round(y - 0.8 * r)}H${round(x - 1.1 * r)}Z`,
  (x, y, r) =>
    `M${round(x)},${round(y - 1.3 * r)}L${round(x + 1.3 * r)},${round(y)}L${round(x)},${round(y + 1.3 * r)}L${round(x - 1.3 * r)},${round(y)}Z`,
  (x, y, r) =>
    `M${round(x - r)},${round(y - r / 3)}h${(2 * r) / 3}v${(-2 * r) / 3}h${(2 * r) / 3}v${(2 * r) / 3}h${(2 * r) / 3}v${(2 * r) / 3}h${(-2 * r) / 3}v${(2 * r) / 3}h${(-2 * r) / 3}v${(-2 * r) / 3}h${(-2 * r) / 3}Z`,
]

/** The mark of group 0 to 5. */
export const groupMark = (group: number, x: number, y: number, r: number, title: Markup | false = false): Markup =>
  html`<path class="dot hue${group % SHAPES.length}" d="${SHAPES[group % SHAPES.length]!(x, y, r)}">${title}</path>`
