/** Curves over real numbers as static SVG: names at their ends, error bars, marks, a second scale along the top. */

import { count, significant } from '../../util/format.js'
import { html, type Markup } from '../html.js'
import { type Drawing, drawing, extentOf, pathOf, round, type Tick, tickFormat, ticksOf, xAxis, yAxis } from './axes.js'
import { type EndLabel, endLabels, endRoom } from './ends.js'
import { type Box, shortenTo, textWidth } from './labels.js'
import { MARK_ROW, type Mark, markLines, placeMarks } from './marks.js'
import { innerLogScale, linearScale, type Range, type Scale } from './scale.js'
import { thinned } from './thin.js'

export interface CurvePoint {
  readonly x: number
  readonly y: number
  readonly interval?: Range
}

export interface Curve {
  readonly name: string
  /** A class of the style sheet; `rest` stays in the background, without a name. */
  readonly tone: string
  /** By x; the values must be finite. */
  readonly points: readonly CurvePoint[]
}

export interface CurvesSpec extends Drawing {
  readonly xTitle: string
  readonly yTitle: string
  readonly curves: readonly Curve[]
  readonly marks: readonly Mark[]
  /** A number for each x, written along the top where there is room. */
  readonly top?: { readonly title: string; readonly at: (x: number) => string }
  /** All curves have this x in common, from the largest (left) down: a logarithmic axis. */
  readonly xs: readonly number[]
  /** Pixels right of the frame, for names. */
  readonly margin: number
}

const FONT = 12
const TITLE_ROW = 20
const TOP_ROW = 18
const BOTTOM = 46
/** At least. */
const LEFT = 58
/** Between dots, and between numbers along the top. */
const DOT_ROOM = 5.5
const TOP_ROOM = 56

/** Draws the chart; x falls from left to right. */
export function curves(spec: CurvesSpec): Markup {
  const domain = extentOf(spec.xs)
  const scaleOf = (left: number): Scale => innerLogScale(domain, [spec.width - spec.margin, left], wantedTicks(spec))
  // How many rows the marks take, and how wide the numbers left of the frame are, is known once they are placed.
  const rows = 1 + Math.max(-1, ...placeMarks(spec.marks, scaleOf(LEFT).at, [LEFT, spec.width]).map((m) => m.row))
  const y = yScale(spec, TITLE_ROW + (spec.top ? TOP_ROW : 6) + rows * MARK_ROW)
  const yTicks = ticksOf(y.scale, tickFormat(y.scale))
  const left = Math.max(LEFT, 16 + Math.max(...yTicks.map((t) => textWidth(t.text, FONT))))
  const x = scaleOf(left)
  const frame = { x: left, y: y.top, width: spec.width - spec.margin - left, height: y.bottom - y.top }
  const isFew = spec.xs.length === 1
  const zero = y.scale.ticks.includes(0) && y.scale.ticks[0] !== 0 && round(y.scale.at(0))
  return drawing(
    spec,
    html`${xAxis(xTicks(x), spec.xTitle, frame)}${yAxis(yTicks, spec.yTitle, frame)}${zero !== false && html`<line class="zero" x1="${frame.x}" x2="${frame.x + frame.width}" y1="${zero}" y2="${zero}"/>`}${spec.top && topAxis(spec.top, spec.xs, x, frame)}${background(spec.curves, x, y.scale)}${markLines(placeMarks(spec.marks, x.at, [left, spec.width]), frame)}${spec.curves
      .filter(isNamed)
      .toReversed()
      .map((c) => curve(c, x, y.scale, isFew))}${endLabels(ends(spec, x, y.scale), frame)}`,
  )
}

const isNamed = ({ tone }: Curve): boolean => tone !== 'rest'

const wantedTicks = ({ width, margin }: CurvesSpec): number => Math.max(2, (width - margin - LEFT) / 80)

function yScale(spec: CurvesSpec, top: number) {
  const bottom = spec.height - BOTTOM
  const values = spec.curves.flatMap((c) => c.points.flatMap((p) => [p.y, ...(p.interval ?? [])]))
  const range = extentOf(values.length === 0 ? [0] : values)
  return { top, bottom, scale: linearScale(range, [bottom, top], (bottom - top) / 50) }
}

/** Numbers that would touch are left out. */
function xTicks(scale: Scale): readonly Tick[] {
  const ticks = ticksOf(scale, (v) => (v < 1e6 ? significant(v) : count(v)))
  let free = Number.POSITIVE_INFINITY
  return ticks.filter(({ at, text }) => {
    const half = textWidth(text, FONT) / 2 + 4
    if (at + half > free) return false
    free = at - half
    return true
  })
}

function topAxis(top: NonNullable<CurvesSpec['top']>, xs: readonly number[], x: Scale, frame: Box): Markup {
  const places = xs.map((value) => ({ value, at: x.at(value) }))
  const parts = Math.max(1, Math.floor(frame.width / TOP_ROOM))
  const wanted = Array.from({ length: parts + 1 }, (_, i) => frame.x + (i * frame.width) / parts)
  const nearest = wanted.map((at) => places.reduce((a, b) => (Math.abs(b.at - at) < Math.abs(a.at - at) ? b : a)))
  const shown = nearest.filter((p, i) => i === 0 || p.at - nearest[i - 1]!.at > 0.6 * TOP_ROOM)
  return html`<text class="axis" x="${frame.x + frame.width}" y="12" text-anchor="end">${top.title}</text>${shown.map(({ value, at }) => html`<text class="tick" x="${round(at)}" y="${TITLE_ROW + 11}" text-anchor="middle">${top.at(value)}</text>`)}`
}

const pixelsOf = ({ points }: Curve, x: Scale, y: Scale): readonly (readonly [number, number])[] =>
  points.map((p) => [x.at(p.x), y.at(p.y)])

/** Hundreds of curves as one path. */
function background(all: readonly Curve[], x: Scale, y: Scale): Markup | false {
  const rest = all.filter((c) => !isNamed(c))
  if (rest.length === 0) return false
  const d = rest.map((c) => pathOf(thinned(pixelsOf(c, x, y), 0.4))).join('')
  return html`<path class="curve rest" d="${d}"/>`
}

function curve(c: Curve, x: Scale, y: Scale, isFew: boolean): Markup {
  const dots = isFew || c.points.some((p) => p.interval) ? apart(c.points, x) : []
  const bars = dots.flatMap((p) =>
    p.interval
      ? [
          html`<line class="interval ${c.tone}" x1="${round(x.at(p.x))}" x2="${round(x.at(p.x))}" y1="${round(y.at(p.interval[0]))}" y2="${round(y.at(p.interval[1]))}"/>`,
        ]
      : [],
  )
  return html`${bars}<path class="curve ${c.tone}" d="${pathOf(thinned(pixelsOf(c, x, y), 0.1))}"><title>${c.name}</title></path>${dots.map((p) => html`<circle class="dot ${c.tone}" cx="${round(x.at(p.x))}" cy="${round(y.at(p.y))}" r="${isFew ? 3.5 : 2}"/>`)}`
}

/** Every second, third or nth where they would touch. */
function apart(points: readonly CurvePoint[], x: Scale): readonly CurvePoint[] {
  const [low, high] = extentOf(points.map((p) => x.at(p.x)))
  const every = Math.max(1, Math.ceil((DOT_ROOM * (points.length - 1)) / Math.max(1, high - low)))
  return points.filter((_, i) => i % every === 0)
}

function ends({ curves: all, margin }: CurvesSpec, x: Scale, y: Scale): readonly EndLabel[] {
  return all.filter(isNamed).flatMap(({ name, tone, points }) => {
    const last = points.at(-1)
    if (last === undefined || name === '') return []
    const text = shortenTo(name, endRoom(margin), FONT)
    return [{ x: x.at(last.x), y: y.at(last.y), text, kind: tone, ...(text !== name && { title: name }) }]
  })
}
