/** What all charts share: the frame of the drawing, axes with ticks, and pixels that are written short. */

import { significant } from '../../util/format.js'
import { html, type Markup } from '../html.js'
import type { Box } from './labels.js'
import type { Range, Scale } from './scale.js'

export interface Drawing {
  readonly id: string
  readonly width: number
  readonly height: number
  readonly title: string
  readonly description: string
}

export interface Tick {
  /** In pixels. */
  readonly at: number
  readonly text: string
}

export const drawing = ({ id, width, height, title, description }: Drawing, content: Markup): Markup =>
  html`<svg id="${id}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="${id}-title ${id}-desc"><title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>${content}</svg>`

export const ticksOf = (scale: Scale, format: (value: number) => string): readonly Tick[] =>
  scale.ticks.map((value) => ({ at: round(scale.at(value)), text: withoutZeros(format(value)) }))

/** As many digits as tell evenly spaced ticks apart, from a million on with a unit. */
export function tickFormat({ ticks }: Scale): (value: number) => string {
  const most = Math.max(...ticks.map(Math.abs))
  const step = Math.min(...ticks.slice(1).map((t, i) => Math.abs(t - ticks[i]!)))
  const digits = Math.floor(Math.log10(most) + 1e-9) - Math.floor(Math.log10(step) + 1e-9) + 1
  const shown = Number.isFinite(digits) ? Math.min(15, Math.max(1, digits)) : 3
  const [size, unit] = UNITS.find(([size]) => most >= size && most < 1000 * size) ?? [1, '']
  return (value) => (value === 0 ? '0' : `${significant(value / size, shown)}${unit}`)
}

const UNITS = [
  [1e6, ' M'],
  [1e9, ' G'],
  [1e12, ' T'],
] as const

export function xAxis(ticks: readonly Tick[], title: string, frame: Box, hasGrid = true): Markup {
  const bottom = frame.y + frame.height
  const marks = ticks.map(
    ({ at, text }) =>
      html`${hasGrid && html`<line class="grid" x1="${at}" x2="${at}" y1="${frame.y}" y2="${bottom}"/>`}<text class="tick" x="${at}" y="${bottom + 17}" text-anchor="middle">${text}</text>`,
  )
  return html`${marks}<text class="axis" x="${frame.x + frame.width}" y="${bottom + 37}" text-anchor="end">${title} →</text>`
}

export function yAxis(ticks: readonly Tick[], title: string, frame: Box): Markup {
  const marks = ticks.map(
    ({ at, text }) =>
      html`<line class="grid" x1="${frame.x}" x2="${frame.x + frame.width}" y1="${at}" y2="${at}"/><text class="tick" x="${frame.x - 8}" y="${at + 4}" text-anchor="end">${text}</text>`,
  )
  return html`${marks}<text class="axis" x="4" y="12">↑ ${title}</text>`
}

/** A path through points in pixels. */
export const pathOf = (points: readonly (readonly [number, number])[]): string =>
  points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${round(x)},${round(y)}`).join('')

/** Of any number of values. */
export function extentOf(values: Iterable<number>): Range {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const v of values) {
    low = Math.min(low, v)
    high = Math.max(high, v)
  }
  return [low, high]
}

export const round = (pixels: number): number => Math.round(pixels * 10) / 10

/** 0.50 -> 0.5, 1.0e−5 -> 1e−5 */
const withoutZeros = (text: string): string => text.replace(/(\.\d*?)0+(?!\d)/, '$1').replace(/\.(?!\d)/, '')
