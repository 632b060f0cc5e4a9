/** The rows on each pair of the first components, coloured by what is known of them. */

import { significant } from '../../util/format.js'
import { figure, type Size } from '../figure.js'
import { html, type Markup } from '../html.js'
import { drawing, extentOf, round, tickFormat } from '../svg/axes.js'
import { paddedScale, type Scale } from '../svg/scale.js'
import { coloursOf, type Grouping, groupsOf } from './colours.js'
import { dots, TENTHS } from './dots.js'
import type { PcaReport } from './pca-page.js'

/** Components whose pairs are drawn, on wide and on narrow pages. */
const SHOWN = { wide: 4, narrow: 3 } as const
/** Rows that are drawn. */
const MOST = 4000
const MARGIN = { top: 8, right: 8, bottom: 40, left: 56 }
const GAP = 10

export function pairPlot(report: PcaReport): Markup | false {
  const { scores, rows, colour } = report
  const heading = html`<h2>Rows on the first components</h2>`
  if (scores.length < 2) return false
  const grouping = groupsOf(colour, rows)
  const who = rows > MOST ? `${MOST} rows, drawn from all ${rows}. ` : ''
  const caption = `${who}Each square is a pair of components, the same along a row and along a column${report.isWhitened ? '; scores have variance 1' : ''}.`
  return html`<section>${heading}${legend(report, grouping)}${figure(heightsOf(scores.length), (size) => pairs(report, grouping, size), caption)}</section>`
}

const heightsOf = (count: number): readonly [number, number] => [
  pairsHeight(912, Math.min(SHOWN.wide, count)),
  pairsHeight(360, Math.min(SHOWN.narrow, count)),
]

/** Panels are square, but a single one is not as large as the page. */
function panelSize(width: number, count: number): number {
  const side = (width - MARGIN.left - MARGIN.right - (count - 2) * GAP) / (count - 1)
  return Math.min(side, 480)
}

const pairsHeight = (width: number, count: number): number =>
  Math.round(MARGIN.top + MARGIN.bottom + (count - 1) * panelSize(width, count) + (count - 2) * GAP)

/** Below the diagonal: component 2 over 1, 3 over 1 and 2, and so on. */
function pairs({ scores, rows }: PcaReport, grouping: Grouping, { name, width, height }: Size): Markup {
  const count = Math.min(SHOWN[name], scores.length)
  const side = panelSize(width, count)
  const size = rows > 1000 ? 3 : 4.5
  const panel = (row: number, column: number): Markup => {
    const [left, top] = [MARGIN.left + column * (side + GAP), MARGIN.top + (row - 1) * (side + GAP)]
    const [xs, ys] = [scores[column]!.values, scores[row]!.values]
    const x = paddedScale(extentOf(xs), [left, left + side], side / 60)
    const y = paddedScale(extentOf(ys), [top + side, top], side / 50)
    const at = (values: ArrayLike<number>, scale: Scale): Int32Array =>
      Int32Array.from(values, (v) => Math.round(TENTHS * scale.at(v)))
    const paths = dots(grouping.of, [at(xs, x), at(ys, y)], MOST).map(
      ({ group, d }) => html`<path class="group${group}" d="${d}"/>`,
    )
    return html`<rect class="panel" x="${round(left)}" y="${round(top)}" width="${round(side)}" height="${round(side)}"/><g class="pairs" transform="scale(0.1)" stroke-width="${size * TENTHS}">${paths}</g>${row === count - 1 && below(x, top + side, scores[column]!.name)}${column === 0 && beside(y, left, scores[row]!.name)}`
  }
  const panels = Array.from({ length: count - 1 }, (_, i) =>
    Array.from({ length: i + 1 }, (_, column) => panel(i + 1, column)),
  )
  return drawing(
    {
      id: `pairs-${name}`,
      width,
      height,
      title: 'Rows on pairs of the first components',
      description: `${rows} rows on the first ${count} components, a square for each pair.`,
    },
    html`${panels.flat()}`,
  )
}

function below(x: Scale, bottom: number, title: string): Markup {
  const format = tickFormat(x)
  const ticks = x.ticks.map(
    (v) =>
      html`<text class="tick" x="${round(x.at(v))}" y="${round(bottom + 15)}" text-anchor="middle">${format(v)}</text>`,
  )
  const middle = (x.at(x.ticks[0] ?? 0) + x.at(x.ticks.at(-1) ?? 0)) / 2
  return html`${ticks}<text class="axis" x="${round(middle)}" y="${round(bottom + 33)}" text-anchor="middle">${title} →</text>`
}

function beside(y: Scale, left: number, title: string): Markup {
  const format = tickFormat(y)
  const ticks = y.ticks.map(
    (v) =>
      html`<text class="tick" x="${round(left - 6)}" y="${round(y.at(v) + 4)}" text-anchor="end">${format(v)}</text>`,
  )
  const [x, middle] = [round(left - 44), (y.at(y.ticks[0] ?? 0) + y.at(y.ticks.at(-1) ?? 0)) / 2]
  return html`${ticks}<text class="axis" x="${x}" y="${round(middle)}" text-anchor="middle" transform="rotate(-90 ${x} ${round(middle)})">${title} →</text>`
}

function legend({ colour }: PcaReport, { kind, groups, ends }: Grouping): Markup | false {
  if (kind === 'none') return false
  const dot = (group: number): Markup =>
    html`<svg class="symbol" viewBox="0 0 14 14" aria-hidden="true"><g class="pairs" stroke-width="10"><path class="group${group}" d="M7,7h0"/></g></svg>`
  if (kind === 'scale') {
    const [low, high] = ends!
    const last = groups.length - 2
    return html`<ul class="legend"><li>${colour!.name}:</li><li>${dot(0)} ≤ ${significant(low)}</li><li>${dot(Math.floor(last / 2))} ${significant((low + high) / 2)}</li><li>${dot(last)} ≥ ${significant(high)}</li></ul>`
  }
  return html`<ul class="legend"><li>${colour!.name}:</li>${groups.map(({ name }, group) => html`<li>${dot(group)} ${name}</li>`)}</ul>`
}

/** Colours of the groups, on light and on dark paper. */
export function pairStyle({ colour, rows }: Pick<PcaReport, 'colour' | 'rows'>): string {
  const grouping = groupsOf(colour, rows)
  const rules = (theme: 'light' | 'dark'): string =>
    coloursOf(grouping, theme)
      .map((value, group) => `svg .pairs .group${group} { stroke: ${value}; }`)
      .join('\n')
  return `
svg .pairs { fill: none; stroke-linecap: round; stroke-opacity: 0.7; }
svg .panel { fill: none; stroke: var(--grid); }
${rules('light')}
@media (prefers-color-scheme: dark) {
${rules('dark')}
}
`
}
