/** Names at the right ends of lines, moved apart as little as possible where they would overlap. */

import { html, type Markup } from '../html.js'
import { round } from './axes.js'
import type { Box } from './labels.js'

export interface EndLabel {
  /** Where the line ends, in pixels. */
  readonly x: number
  readonly y: number
  readonly text: string
  /** A class of the style sheet. */
  readonly kind: string
  /** Shown on hover, where the text is cut. */
  readonly title?: string
}

const LINE_HEIGHT = 16
const GAP = 8
/** From the line to a name that had to move. */
const LEADER = 16

export function endLabels(labels: readonly EndLabel[], frame: Box): readonly Markup[] {
  const sorted = labels.toSorted((a, b) => a.y - b.y)
  const places = spread(
    sorted.map((l) => l.y),
    LINE_HEIGHT,
    [frame.y, frame.y + frame.height],
  )
  const isMoved = sorted.some((l, i) => Math.abs(places[i]! - l.y) > 3)
  return sorted.map(({ x, y, text, kind, title }, i) => {
    const at = places[i]!
    const start = isMoved ? x + LEADER + 4 : x + GAP
    return html`${isMoved && html`<path class="leader" d="M${round(x + 3)},${round(y)}L${round(x + LEADER)},${round(at)}"/>`}<text class="label ${kind}" x="${round(start)}" y="${round(at + 4)}">${text}${title !== undefined && html`<title>${title}</title>`}</text>`
  })
}

/** Room that a name beside the frame has. */
export const endRoom = (margin: number): number => margin - LEADER - 8

/**
 * Ascending places at least `gap` apart and inside the range, with the least sum of squared moves: with the gaps
 * taken off that is isotonic regression, by pooling neighbours that are out of order.
 */
export function spread(
  wanted: readonly number[],
  gap: number,
  [low, high]: readonly [number, number],
): readonly number[] {
  const pools: { sum: number; count: number }[] = []
  for (const [i, place] of wanted.entries()) {
    let pool = { sum: place - i * gap, count: 1 }
    for (let last = pools.at(-1); last && last.sum / last.count > pool.sum / pool.count; last = pools.at(-1)) {
      pool = { sum: pool.sum + last.sum, count: pool.count + last.count }
      pools.pop()
    }
    pools.push(pool)
  }
  const end = Math.max(low, high - (wanted.length - 1) * gap)
  return pools
    .flatMap(({ sum, count }) => new Array<number>(count).fill(Math.min(end, Math.max(low, sum / count))))
    .map((place, i) => place + i * gap)
}
