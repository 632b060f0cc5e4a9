/** Many points as static SVG: dots while they are few, else squares that are stronger the more points they hold. */

import { html, type Markup } from '../html.js'
import { type Drawing, drawing, extentOf, pathOf, round, tickFormat, ticksOf, xAxis, yAxis } from './axes.js'
import { type Box, placeLabels, textWidth } from './labels.js'
import { paddedScale, type Range, type Scale } from './scale.js'

export interface CloudSpec extends Drawing {
  readonly xTitle: string
  readonly yTitle: string
  readonly x: ArrayLike<number>
  readonly y: ArrayLike<number>
  /** Where y = x, on equal axes, or where y = 0. */
  readonly line: 'identity' | 'zero'
  /** Means of parts of the cloud, from the left. */
  readonly trend?: readonly { readonly x: number; readonly y: number }[]
  /** Points with names, by index. */
  readonly named?: readonly { readonly at: number; readonly label: string }[]
}

/** Up to so many points are drawn one by one. */
export const MOST_DOTS = 2000
/** Names keep off all points where they are this few. */
const MOST_OBSTACLES = 500
const CELL = 6
const LEVELS = 5
/** Dots of one path do not add up where they overlap, so that they go into several. */
const LAYERS = 40
const FONT = 12
const MARGIN = { top: 26, right: 18, bottom: 46, left: 52 }

export function cloud(spec: CloudSpec): Markup {
  const [xs, ys] = [extentOf(Array.from(spec.x)), extentOf(Array.from(spec.y))]
  const isIdentity = spec.line === 'identity'
  const both: Range = [Math.min(xs[0], ys[0]), Math.max(xs[1], ys[1])]
  const [top, bottom] = [MARGIN.top, spec.height - MARGIN.bottom]
  const y = paddedScale(isIdentity ? both : withZero(ys), [bottom, top], (bottom - top) / 45)
  const yTicks = ticksOf(y, tickFormat(y))
  const left = Math.max(MARGIN.left, 16 + Math.max(...yTicks.map((t) => textWidth(t.text, FONT))))
  const right = spec.width - MARGIN.right
  const x = isIdentity
    ? { ticks: y.ticks, at: (v: number) => left + ((bottom - y.at(v)) / (bottom - top)) * (right - left) }
    : paddedScale(xs, [left, right], (right - left) / 60)
  const frame = { x: left, y: top, width: right - left, height: bottom - top }
  const xTicks = ticksOf(x, tickFormat(x))
  const step = xTicks.length > 1 ? xTicks[1]!.at - xTicks[0]!.at : right - left
  const every = Math.ceil(Math.max(...xTicks.map((t) => textWidth(t.text, FONT) + 10)) / step)
  return drawing(
    spec,
    html`${xAxis(
      xTicks.filter((_, i) => i % every === 0),
      spec.xTitle,
      frame,
    )}${yAxis(yTicks, spec.yTitle, frame)}${spec.x.length <= MOST_DOTS ? dots(spec, x, y) : cells(spec, x, y)}${reference(spec, y, frame)}${spec.trend && html`<path class="trend" d="${pathOf(spec.trend.map((p) => [x.at(p.x), y.at(p.y)]))}"/>`}${names(spec, x, y, frame)}`,
  )
}

const withZero = ([low, high]: Range): Range => [Math.min(0, low), Math.max(0, high)]

function dots({ x: xs, y: ys }: CloudSpec, x: Scale, y: Scale): readonly Markup[] {
  const layers = Array.from({ length: Math.min(LAYERS, xs.length) }, () => '')
  for (let i = 0; i < xs.length; i++) layers[i % LAYERS] += `M${round(x.at(xs[i]!))},${round(y.at(ys[i]!))}h0`
  const size = xs.length > 400 ? 'small' : 'large'
  return layers.map((d) => html`<path class="dots ${size}" d="${d}"/>`)
}

function cells({ x: xs, y: ys }: CloudSpec, x: Scale, y: Scale): readonly Markup[] {
  const counts = new Map<string, number>()
  for (let i = 0; i < xs.length; i++) {
    const cell = `${CELL * Math.floor(x.at(xs[i]!) / CELL)},${CELL * Math.floor(y.at(ys[i]!) / CELL)}`
    counts.set(cell, (counts.get(cell) ?? 0) + 1)
  }
  const [, most] = extentOf(counts.values())
  const levels = Array.from({ length: LEVELS }, () => '')
  for (const [cell, n] of counts) {
    const share = most === 1 ? 0 : Math.log(n) / Math.log(most)
    levels[Math.min(LEVELS - 1, Math.floor(share * LEVELS))] += `M${cell}h${CELL}v${CELL}h-${CELL}z`
  }
  return levels.flatMap((d, i) => (d === '' ? [] : [html`<path class="cell cell${i}" d="${d}"/>`]))
}

function reference({ line }: CloudSpec, y: Scale, frame: Box): Markup {
  const right = frame.x + frame.width
  if (line === 'zero') {
    const at = round(y.at(0))
    return html`<line class="reference" x1="${frame.x}" x2="${right}" y1="${at}" y2="${at}"/>`
  }
  // Equal axes: the line goes from corner to corner.
  return html`<path class="reference" d="${pathOf([
    [frame.x, frame.y + frame.height],
    [right, frame.y],
  ])}"/>`
}

function names({ named = [], x: xs, y: ys }: CloudSpec, x: Scale, y: Scale, frame: Box): readonly Markup[] {
  // From a square its middle is further away.
  const gap = xs.length > MOST_DOTS ? CELL + 3 : 6
  const requests = named.map(({ at, label }) => ({ x: x.at(xs[at]!), y: y.at(ys[at]!), gap, texts: [label] }))
  const obstacles = xs.length > MOST_OBSTACLES ? requests : Array.from(xs, (v, i) => ({ x: x.at(v), y: y.at(ys[i]!) }))
  const squares = obstacles.map((p) => ({ x: p.x - 3, y: p.y - 3, width: 6, height: 6 }))
  return placeLabels(requests, squares, frame, FONT).flatMap((label) =>
    label
      ? [html`<text class="label" x="${round(label.x)}" y="${round(label.y + FONT * 0.92)}">${label.text}</text>`]
      : [],
  )
}
