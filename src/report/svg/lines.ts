/** A line chart as static SVG: series over whole numbers, told apart by dashes and names as well as colour. */

import { html, type Markup } from '../html.js'
import { linearScale, logScale, type Scale } from './scale.js'

export interface Series {
  readonly name: string
  readonly kind: 'good' | 'chosen'
  /** By x, from the left; the values must be finite. */
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface LinesSpec {
  readonly id: string
  readonly width: number
  readonly height: number
  readonly title: string
  readonly description: string
  readonly xTitle: string
  readonly yTitle: string
  readonly format: (value: number) => string
  /** Shares stay on a linear axis, however far apart. */
  readonly isShare?: boolean
  readonly series: readonly Series[]
  /** An x that stands out, with what to call it. */
  readonly marked?: { readonly x: number; readonly label: string }
}

const MARGIN = { top: 26, right: 96, bottom: 46, left: 58 }

/** Draws the chart; logarithmic where the values span more than a factor of 10 and are no shares. */
export function lines(spec: LinesSpec): Markup {
  const [left, right] = [MARGIN.left, spec.width - MARGIN.right]
  const [top, bottom] = [MARGIN.top, spec.height - MARGIN.bottom]
  const all = spec.series.flatMap((s) => s.points)
  const [low, high] = extent(all.map((p) => p.y))
  const wanted = (bottom - top) / 50
  const y =
    !spec.isShare && low > 0 && high / low > 10
      ? logScale([low, high], [bottom, top], wanted)
      : linearScale([low, high], [bottom, top], wanted)
  const x = wholeScale(...extent(all.map((p) => p.x)), [left, right])
  const mark = spec.marked
  return html`<svg id="${spec.id}" viewBox="0 0 ${spec.width} ${spec.height}" width="${spec.width}" height="${spec.height}" role="img" aria-labelledby="${spec.id}-title ${spec.id}-desc"><title id="${spec.id}-title">${spec.title}</title><desc id="${spec.id}-desc">${spec.description}</desc>${x.ticks.map((t) => html`<text class="tick" x="${round(x.at(t))}" y="${bottom + 17}" text-anchor="middle">${t}</text>`)}<text class="axis" x="${right}" y="${bottom + 37}" text-anchor="end">${spec.xTitle} →</text>${y.ticks.map((t) => html`<line class="grid" x1="${left}" x2="${right}" y1="${round(y.at(t))}" y2="${round(y.at(t))}"/><text class="tick" x="${left - 8}" y="${round(y.at(t)) + 4}" text-anchor="end">${spec.format(t)}</text>`)}<text class="axis" x="4" y="12">↑ ${spec.yTitle}</text>${mark && html`<line class="limit" x1="${round(x.at(mark.x))}" x2="${round(x.at(mark.x))}" y1="${top}" y2="${bottom}"/><text class="limit-label" x="${round(x.at(mark.x)) - 6}" y="${top + 13}" text-anchor="end">${mark.label}</text>`}${spec.series.map((s) => line(s, x, y))}${names(spec.series, x, y)}</svg>`
}

/** Of any number of values. */
const extent = (values: readonly number[]): readonly [number, number] => [
  values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
  values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
]

function line({ name, kind, points }: Series, x: Scale, y: Scale): Markup {
  const path = points.map((p, i) => `${i === 0 ? 'M' : 'L'}${round(x.at(p.x))},${round(y.at(p.y))}`).join('')
  const dots = points.length <= 60 ? points : []
  return html`<path class="line ${kind}" d="${path}"/>${dots.map((p) => html`<circle class="point ${kind}" cx="${round(x.at(p.x))}" cy="${round(y.at(p.y))}" r="3"><title>${name}, ${p.x}: ${p.y}</title></circle>`)}`
}

/** At the right end of each line, moved apart where they would overlap. */
function names(series: readonly Series[], x: Scale, y: Scale): readonly Markup[] {
  const ends = series.flatMap((s) => {
    const last = s.points.at(-1)
    return last ? [{ s, px: x.at(last.x) + 8, py: y.at(last.y) + 4 }] : []
  })
  let above = Number.NEGATIVE_INFINITY
  return ends
    .toSorted((a, b) => a.py - b.py)
    .map(({ s, px, py }) => {
      above = Math.max(py, above + 16)
      return html`<text class="label ${s.kind}" x="${round(px)}" y="${round(above)}">${s.name}</text>`
    })
}

/** Whole numbers alone as ticks. */
function wholeScale(low: number, high: number, [left, right]: readonly [number, number]): Scale {
  const every = Math.max(1, Math.ceil((high - low) / 10))
  const ticks = Array.from({ length: Math.floor((high - low) / every) + 1 }, (_, i) => low + i * every)
  return { ticks, at: (v) => (high === low ? (left + right) / 2 : left + ((v - low) / (high - low)) * (right - left)) }
}

const round = (pixels: number): number => Math.round(pixels * 10) / 10
