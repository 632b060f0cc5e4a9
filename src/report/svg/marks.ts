/** Places along the x axis that stand out: dotted lines through the frame with names above it. */

import { html, type Markup } from '../html.js'
import { round } from './axes.js'
import { type Box, overlap, textWidth } from './labels.js'
import type { Range } from './scale.js'

export interface Mark {
  readonly x: number
  readonly label: string
  readonly isChosen: boolean
}

export interface PlacedMark {
  /** In pixels. */
  readonly at: number
  readonly label: string
  readonly isChosen: boolean
  /** Rows above the frame, from 0. */
  readonly row: number
  readonly anchor: 'start' | 'end'
}

const FONT = 12
export const MARK_ROW = 16

/** Names beside their lines, in as few rows as keep them apart; the chosen first. They stay between these pixels. */
export function placeMarks(
  marks: readonly Mark[],
  at: (x: number) => number,
  [low, high]: Range,
): readonly PlacedMark[] {
  const taken: Box[] = []
  const sorted = marks.toSorted((a, b) => Number(b.isChosen) - Number(a.isChosen))
  return sorted.map(({ x, label, isChosen }) => {
    const here = at(x)
    const others = marks.map((m) => at(m.x)).filter((p) => p !== here)
    // Away from the other marks first.
    const isRightmost = others.every((p) => p < here)
    const anchors = isRightmost || others.length === 0 ? (['start', 'end'] as const) : (['end', 'start'] as const)
    for (let row = 0; ; row++) {
      for (const anchor of anchors) {
        const box = boxOf(label, here, row, anchor)
        const fits = box.x >= low && box.x + box.width <= high
        const crosses = row === 0 && others.some((p) => p > box.x && p < box.x + box.width)
        if (row < marks.length && (!fits || crosses || taken.some((other) => overlap(box, other)))) continue
        taken.push(box)
        return { at: here, label, isChosen, row, anchor }
      }
    }
  })
}

function boxOf(label: string, at: number, row: number, anchor: 'start' | 'end'): Box {
  const width = 1.15 * textWidth(label, FONT) + 8
  return { x: anchor === 'end' ? at - width : at, y: -row * MARK_ROW, width, height: MARK_ROW }
}

export function markLines(marks: readonly PlacedMark[], frame: Box): readonly Markup[] {
  // The chosen one lies on top.
  return marks.toReversed().map(({ at, label, isChosen, row, anchor }) => {
    const top = frame.y - MARK_ROW * row
    const kind = isChosen ? 'mark chosen' : 'mark'
    return html`<line class="${kind}" x1="${round(at)}" x2="${round(at)}" y1="${top - 12}" y2="${frame.y + frame.height}"/><text class="${kind}" x="${round(at + (anchor === 'end' ? -5 : 5))}" y="${top - 4}" text-anchor="${anchor}">${label}</text>`
  })
}
