/**
 * A scatter plot as static SVG: axes with round ticks, points told apart by shape as well as colour, error bars,
 * a step line (the Pareto front) and a limit with the side beyond it shaded. Colours are CSS variables.
 */

import { html, type Markup } from '../html.js'
import { type Drawing, drawing, round, ticksOf, xAxis, yAxis } from './axes.js'
import { groupMark } from './groups.js'
import { type Box, placeLabels, textWidth } from './labels.js'
import { linearScale, logScale, type Range, type Scale } from './scale.js'

export type PointKind = 'original' | 'chosen' | 'good' | 'over' | 'unknown'

export interface Point {
  readonly x: number
  readonly y: number
  readonly kind: PointKind
  /** Shown on hover and read aloud. */
  readonly title: string
  /** Label texts from the most to the least wanted; empty for none. */
  readonly labels: readonly string[]
  readonly yInterval?: Range
  /** Drawn with the mark of a group in place of that of its kind. */
  readonly group?: number
}

export interface AxisSpec {
  readonly title: string
  readonly format: (value: number) => string
  /** Values at or below `floor` stand on the axis, on a logarithmic axis. Default: linear from 0, logarithmic when wide. */
  readonly floor?: number
}

export interface ScatterSpec extends Drawing {
  readonly x: AxisSpec
  readonly y: AxisSpec
  readonly points: readonly Point[]
  /** Corners of a falling staircase, by x. */
  readonly front?: readonly { readonly x: number; readonly y: number }[]
  readonly limit?: { readonly x: number; readonly label: string }
}

const FONT = 12
const MARGIN = { top: 26, right: 30, bottom: 46, left: 58 }
const RADIUS: Readonly<Record<PointKind, number>> = { original: 6, chosen: 7, good: 4.5, over: 4.5, unknown: 4.5 }

/** Draws the plot. Points must be finite; their order is the order of drawing. */
export function scatter(spec: ScatterSpec): Markup {
  const frame = {
    x: MARGIN.left,
    y: MARGIN.top,
    width: spec.width - MARGIN.left - MARGIN.right,
    height: spec.height - MARGIN.top - MARGIN.bottom,
  }
  const limit = spec.limit
  const xs = [...spec.points.map((p) => p.x), ...(limit ? [limit.x] : [])]
  const ys = spec.points.flatMap((p) => [p.y, ...(p.yInterval ?? [])])
  const x = axisScale(xs, spec.x, [frame.x, frame.x + frame.width], frame.width / 90)
  const y = axisScale(ys, spec.y, [frame.y + frame.height, frame.y], frame.height / 60)
  const placed = spec.points.map((p) => ({ ...p, px: x.at(p.x), py: y.at(p.y) }))
  return drawing(
    spec,
    html`${limit && limitMark(limit, x, frame)}${xAxis(ticksOf(x, tickText(spec.x)), spec.x.title, frame)}${yAxis(ticksOf(y, tickText(spec.y)), spec.y.title, frame)}${spec.front && staircase(spec.front, x, y, frame)}${placed.map(interval(y))}${placed.map(mark)}${labelMarks(placed, limit ? [limitLabel(limit, x, frame).box] : [], frame)}`,
  )
}

function axisScale(values: readonly number[], axis: AxisSpec, pixels: Range, wanted: number): Scale {
  const high = Math.max(...values)
  if (axis.floor !== undefined) {
    const floor = axis.floor
    const scale = logScale([floor, Math.max(high, floor * 10)], pixels, wanted)
    return { ...scale, at: (v) => scale.at(Math.max(v, floor)) }
  }
  const low = Math.min(...values)
  if (low > 0 && high / low > 25) return logScale([low, high], pixels, wanted)
  return linearScale([Math.min(0, low), high === low && high <= 0 ? 1 : high], pixels, wanted)
}

const tickText =
  ({ format, floor }: AxisSpec) =>
  (value: number): string =>
    floor !== undefined && value <= floor ? `≤ ${format(value)}` : format(value)

function limitMark(limit: { readonly x: number; readonly label: string }, x: Scale, frame: Box): Markup {
  const at = round(x.at(limit.x))
  const right = frame.x + frame.width
  const { flip } = limitLabel(limit, x, frame)
  return html`<rect class="beyond" x="${at}" y="${frame.y}" width="${round(Math.max(0, right - at))}" height="${frame.height}"/><line class="limit" x1="${at}" x2="${at}" y1="${frame.y}" y2="${frame.y + frame.height}"/><text class="limit-label" x="${at + (flip ? -6 : 6)}" y="${frame.y + 13}" text-anchor="${flip ? 'end' : 'start'}">${limit.label}</text>`
}

/** Where the limit's label lies: right of its line, or left of it where the line is far to the right. */
function limitLabel(limit: { readonly x: number; readonly label: string }, x: Scale, frame: Box) {
  const at = x.at(limit.x)
  const flip = at > frame.x + frame.width * 0.6
  const width = textWidth(limit.label, FONT) + 6
  return { flip, box: { x: flip ? at - width : at, y: frame.y, width, height: FONT * 1.6 } }
}

function staircase(
  corners: readonly { readonly x: number; readonly y: number }[],
  x: Scale,
  y: Scale,
  frame: Box,
): Markup | false {
  const [first, ...rest] = [...corners].sort((a, b) => a.x - b.x)
  if (!first) return false
  const steps = rest.map((c) => `H${round(x.at(c.x))}V${round(y.at(c.y))}`).join('')
  const path = `M${round(x.at(first.x))},${frame.y}V${round(y.at(first.y))}${steps}H${frame.x + frame.width}`
  return html`<path class="front" d="${path}"/>`
}

interface Placed extends Point {
  readonly px: number
  readonly py: number
}

const interval =
  (y: Scale) =>
  (p: Placed): Markup => {
    if (!p.yInterval || p.kind === 'original') return html``
    return html`<line class="interval ${p.kind}" x1="${round(p.px)}" x2="${round(p.px)}" y1="${round(y.at(p.yInterval[0]))}" y2="${round(y.at(p.yInterval[1]))}"/>`
  }

function mark(p: Placed): Markup {
  const [x, y, r] = [round(p.px), round(p.py), RADIUS[p.kind]]
  const title = html`<title>${p.title}</title>`
  if (p.kind === 'original') {
    const d = `M${x},${round(y - r)}L${round(x + r)},${y}L${x},${round(y + r)}L${round(x - r)},${y}Z`
    return html`<path class="point original" d="${d}">${title}</path>`
  }
  if (p.group === undefined && p.kind === 'over') {
    const d = `M${round(x - r)},${round(y - r)}L${round(x + r)},${round(y + r)}M${round(x - r)},${round(y + r)}L${round(x + r)},${round(y - r)}`
    return html`<path class="point over" d="${d}">${title}</path>`
  }
  if (p.group !== undefined) {
    const around = p.kind === 'chosen' && html`<circle class="ring" cx="${x}" cy="${y}" r="${r + 3.5}"/>`
    return html`${around}<g class="${p.kind === 'over' ? 'faint' : 'clear'}">${groupMark(p.group, p.px, p.py, p.kind === 'chosen' ? 5.5 : 4.5, title)}</g>`
  }
  const ring = p.kind === 'chosen' && html`<circle class="ring" cx="${x}" cy="${y}" r="${r + 4.5}"/>`
  return html`${ring}<circle class="point ${p.kind}" cx="${x}" cy="${y}" r="${r}">${title}</circle>`
}

const URGENCY: Readonly<Record<PointKind, number>> = { chosen: 0, original: 1, good: 2, unknown: 3, over: 4 }

function labelMarks(points: readonly Placed[], others: readonly Box[], frame: Box): readonly Markup[] {
  const order = [...points].filter((p) => p.labels.length > 0).sort((a, b) => URGENCY[a.kind] - URGENCY[b.kind])
  const obstacles = [...others, ...points.map((p) => square(p.px, p.py, RADIUS[p.kind] + 1))]
  const labels = placeLabels(
    order.map((p) => ({ x: p.px, y: p.py, gap: RADIUS[p.kind] + (p.kind === 'chosen' ? 8 : 5), texts: p.labels })),
    obstacles,
    frame,
    FONT,
  )
  return labels.flatMap((label, i) =>
    label === null
      ? []
      : [
          html`<text class="label ${order[i]!.kind}" x="${round(label.x)}" y="${round(label.y + FONT * 0.92)}">${label.text}</text>`,
        ],
  )
}

const square = (x: number, y: number, r: number): Box => ({ x: x - r, y: y - r, width: 2 * r, height: 2 * r })
