/** Labels beside points that overlap neither each other nor the points: each takes the first free of eight places. */

import { shorten } from '../../util/format.js'

export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface LabelRequest {
  readonly x: number
  readonly y: number
  /** Distance that the label keeps from the point's centre. */
  readonly gap: number
  /** Texts from the most to the least wanted; the last may be short. */
  readonly texts: readonly string[]
}

export interface PlacedLabel extends Box {
  readonly text: string
}

/** Of the font size. */
const LETTER = 0.56
/** From here on letters are about as wide as high: Hangul, Kana, Han, pictures. */
const FIRST_SQUARE = '\u1100'

/** Places labels in the given order (the important first); null where none fits inside `frame`. */
export function placeLabels(
  requests: readonly LabelRequest[],
  obstacles: readonly Box[],
  frame: Box,
  fontSize: number,
): readonly (PlacedLabel | null)[] {
  const taken: Box[] = []
  return requests.map((request) => {
    const label = firstFree(request, [...obstacles, ...taken], frame, fontSize)
    if (label) taken.push(label)
    return label
  })
}

function firstFree(request: LabelRequest, taken: readonly Box[], frame: Box, fontSize: number): PlacedLabel | null {
  for (const text of request.texts) {
    const size = { width: textWidth(text, fontSize), height: fontSize * 1.15 }
    for (const corner of places(request, size)) {
      const box = { ...corner, ...size }
      if (inside(box, frame) && !taken.some((other) => overlap(box, other))) return { ...box, text }
    }
  }
  return null
}

/** Estimated: no font metrics are at hand. Wide enough for common sans-serif fonts. */
export function textWidth(text: string, fontSize: number): number {
  return [...text].reduce((sum, letter) => sum + (letter >= FIRST_SQUARE ? 1 : LETTER), 0) * fontSize
}

/** Cut in the middle to what is surely no wider than this. */
export function shortenTo(text: string, width: number, fontSize: number): string {
  // Capitals alone are wider than the mean letter.
  const room = width / 1.15
  if (textWidth(text, fontSize) <= room) return text
  const letters = [...text].length
  let length = Math.min(letters, Math.floor(room / (fontSize * LETTER)))
  while (length > 1 && textWidth(shorten(text, length), fontSize) > room) length--
  return shorten(text, length)
}

function places(
  { x, y, gap }: LabelRequest,
  { width, height }: { readonly width: number; readonly height: number },
): readonly { readonly x: number; readonly y: number }[] {
  const near = gap * 0.8
  return [
    { x: x + gap, y: y - height / 2 },
    { x: x - gap - width, y: y - height / 2 },
    { x: x - width / 2, y: y - gap - height },
    { x: x - width / 2, y: y + gap },
    { x: x + near, y: y - near - height },
    { x: x + near, y: y + near },
    { x: x - near - width, y: y - near - height },
    { x: x - near - width, y: y + near },
  ]
}

function inside(box: Box, frame: Box): boolean {
  return (
    box.x >= frame.x &&
    box.y >= frame.y &&
    box.x + box.width <= frame.x + frame.width &&
    box.y + box.height <= frame.y + frame.height
  )
}

export function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}
