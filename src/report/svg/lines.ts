/** A line chart as static SVG: series over whole numbers, told apart by dashes and names as well as colour. */

import { html, type Markup } from '../html.js'
import { type Drawing, drawing, extentOf, pathOf, round, ticksOf, xAxis, yAxis } from './axes.js'
import { endLabels } from './ends.js'
import type { Box } from './labels.js'
import { linearScale, logScale, type Scale } from './scale.js'

export interface Series {
  readonly name: string
  /** A class of the style sheet. */
  readonly kind: 'good' | 'chosen' | `hue${number}`
  /** By x, from the left; the values must be finite. */
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface LinesSpec extends Drawing {
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
  const [low, high] = extentOf(all.map((p) => p.y))
  const wanted = (bottom - top) / 50
  const y =
    !spec.isShare && low > 0 && high / low > 10
      ? logScale([low, high], [bottom, top], wanted)
      : linearScale([low, high], [bottom, top], wanted)
  const x = wholeScale(...extentOf(all.map((p) => p.x)), [left, right])
  const mark = spec.marked
  const frame = { x: left, y: top, width: right - left, height: bottom - top }
  return drawing(
    spec,
    html`${xAxis(ticksOf(x, String), spec.xTitle, frame, false)}${yAxis(ticksOf(y, spec.format), spec.yTitle, frame)}${mark && html`<line class="limit" x1="${round(x.at(mark.x))}" x2="${round(x.at(mark.x))}" y1="${top}" y2="${bottom}"/><text class="limit-label" x="${round(x.at(mark.x)) - 6}" y="${top + 13}" text-anchor="end">${mark.label}</text>`}${spec.series.map((s) => line(s, x, y))}${names(spec.series, x, y, frame)}`,
  )
}

function line({ name, kind, points }: Series, x: Scale, y: Scale): Markup {
  const path = pathOf(points.map((p) => [x.at(p.x), y.at(p.y)]))
  const dots = points.length <= 60 ? points : []
  return html`<path class="line ${kind}" d="${path}"/>${dots.map((p) => html`<circle class="point ${kind}" cx="${round(x.at(p.x))}" cy="${round(y.at(p.y))}" r="3"><title>${name}, ${p.x}: ${p.y}</title></circle>`)}`
}

const names = (series: readonly Series[], x: Scale, y: Scale, frame: Box): readonly Markup[] =>
  endLabels(
    series.flatMap(({ name, kind, points }) => {
      const last = points.at(-1)
      return last ? [{ x: x.at(last.x), y: y.at(last.y), text: name, kind }] : []
    }),
    frame,
  )

/** Whole numbers alone as ticks. */
function wholeScale(low: number, high: number, [left, right]: readonly [number, number]): Scale {
  const every = Math.max(1, Math.ceil((high - low) / 10))
  const ticks = Array.from({ length: Math.floor((high - low) / every) + 1 }, (_, i) => low + i * every)
  return { ticks, at: (v) => (high === low ? (left + right) / 2 : left + ((v - low) / (high - low)) * (right - left)) }
}
