/** The two plots of the report: size against latency, and what the budget is for against the drop in quality. */

import { budgetText, measureDrop } from '../search/measure-text.js'
import { isBroken, type Measure } from '../search/outcome.js'
import { bytes, significant, times } from '../util/format.js'
import { figure, type Size } from './figure.js'
import { html, type Markup } from './html.js'
import { type Groups, groupsOf } from './levers.js'
import { groupMark } from './svg/groups.js'
import { type AxisSpec, type Point, type ScatterSpec, scatter } from './svg/scatter.js'
import type { Candidate, View } from './view.js'

export function plots(view: View): Markup {
  if (view.candidates.length === 0) return html``
  return html`<section aria-labelledby="candidates-plot"><h2 id="candidates-plot">Size and latency of each candidate</h2>
${legend(view)}
${scatterFigure((size) => tradeOff(view, size), 'Left is smaller, down is faster. Latency is the candidate’s time over the original’s, measured interleaved; bars span the 95 % interval. Numbers are rows of the table; candidates on the Pareto front of size, latency and drop are named. The dashed line bounds what can be had within the budget.')}
${hasQuality(view) && view.outcome.search === undefined && html`<h2>What quality it costs</h2>${scatterFigure((size) => cost(view, size, view.outcome.budget.for === 'size'), `Left of the line is within the budget.${view.candidates.some(isBrokenOne) ? ' Candidates with broken answers are in the table alone.' : ''}`)}`}
${hasQuality(view) && view.outcome.search !== undefined && byLever(view)}
</section>`
}

/** Quality against size and against latency, each point with the mark of its levers. */
function byLever(view: View): Markup {
  const groups = groupsOf(view)
  const grouped = (size: Size, bySize: boolean): ScatterSpec => cost(view, size, bySize, groups)
  const names = html`<ul class="legend">${groups.names.map((name, i) => html`<li><svg class="symbol" viewBox="0 0 14 14" aria-hidden="true">${groupMark(i, 7, 7, 4.5)}</svg> ${name}</li>`)}</ul>`
  return html`<h2>Quality against size</h2>${names}${scatterFigure((size) => grouped(size, true), 'Left of the line is within the budget, down is smaller. Marks tell the levers of a recipe apart; the ring is the chosen model, numbers are those of the front.')}
<h2>Quality against latency</h2>${names}${scatterFigure((size) => grouped(size, false), 'Left of the line is within the budget, down is faster; bars span the 95 % interval.')}`
}

/** Pixels of the wide and of the narrow drawing. */
const HEIGHTS = [430, 340] as const

const scatterFigure = (draw: (size: Size) => ScatterSpec, caption: string): Markup =>
  figure(HEIGHTS, (size) => scatter(draw(size)), caption)

const ratioAxis: AxisSpec = { title: 'latency, original = 1', format: (v) => significant(v, 2) }
const sizeAxis: AxisSpec = { title: 'size of the file', format: bytes }

function tradeOff(view: View, size: Size): ScatterSpec {
  const { outcome } = view
  const candidates = view.candidates.filter((c) => Number.isFinite(c.latency.ratio))
  const points = [
    ...candidates.map((c) => point(view, c, { x: c.bytes, y: c.latency.ratio }, size)).reverse(),
    original(view, outcome.baseline.bytes, 1),
  ]
  const allowed = candidates.filter((c) => c.result.keeps === true).map((c) => ({ x: c.bytes, y: c.latency.ratio }))
  return {
    id: `trade-off-${size.name}`,
    width: size.width,
    height: size.height,
    title: 'Size against latency',
    description: `${candidates.length} candidates and the original. ${view.chosen ? `Chosen: ${describe(view, view.chosen)}.` : 'None was chosen.'} The table below holds every value.`,
    x: sizeAxis,
    y: ratioAxis,
    points,
    front: staircase([...allowed, { x: outcome.baseline.bytes, y: 1 }]),
  }
}

/** The points that no other is left of and below, by x. */
function staircase(points: readonly { readonly x: number; readonly y: number }[]) {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y)
  return sorted.filter((p, i) => sorted.slice(0, i).every((q) => q.y > p.y))
}

function cost(view: View, size: Size, bySize: boolean, groups?: Groups): ScatterSpec {
  const { outcome } = view
  const { budget, measure } = outcome
  const drops = view.candidates.flatMap((c) => c.result.quality?.drop ?? []).filter((d) => d > 0 && !isBroken(d))
  // Where nothing was lost the line of the budget still has room on its left.
  const floor = dropFloor([...drops, budget.maxDrop / 10].filter((d) => d > 0))
  const points = view.candidates.flatMap((c) =>
    c.result.quality && !isBrokenOne(c) && Number.isFinite(c.latency.ratio)
      ? [
          {
            ...point(view, c, { x: c.result.quality.drop, y: bySize ? c.bytes : c.latency.ratio }, size, !bySize),
            ...(groups && { group: groups.of(c), labels: c.onFront ? [String(c.number)] : [] }),
          },
        ]
      : [],
  )
  return {
    id: `cost-${groups ? (bySize ? 'size-' : 'latency-') : ''}${size.name}`,
    width: size.width,
    height: size.height,
    title: `${bySize ? 'Size' : 'Latency'} against drop in quality`,
    description: `The budget allows a drop of ${budgetText(measure, budget.maxDrop)}.`,
    x: { title: 'drop in quality', format: (v) => dropTick(measure, v), floor },
    y: bySize ? sizeAxis : ratioAxis,
    points: [...points.reverse(), original(view, 0, bySize ? outcome.baseline.bytes : 1)],
    limit: { x: budget.maxDrop, label: `budget ${budgetText(measure, budget.maxDrop)}` },
  }
}

/** Ticks lie at powers of ten, far below the two decimals of the tables. */
function dropTick(measure: Measure, drop: number): string {
  const text = measureDrop(measure, drop)
  return text.endsWith(' points') ? `${Number((100 * drop).toPrecision(2))} pt` : text
}

/** The power of ten below the smallest drop, at most four below that above the largest: less stands on the axis. */
function dropFloor(drops: readonly number[]): number {
  if (drops.length === 0) return 1e-4
  const lowest = Math.floor(Math.log10(Math.min(...drops)))
  const highest = Math.ceil(Math.log10(Math.max(...drops)))
  return Number(`1e${Math.max(lowest, highest - 4)}`)
}

const isBrokenOne = ({ result }: Candidate): boolean => result.quality !== undefined && isBroken(result.quality.drop)

const hasQuality = (view: View): boolean => view.candidates.some((c) => c.result.quality !== undefined)

function point(
  view: View,
  candidate: Candidate,
  at: { readonly x: number; readonly y: number },
  size: Size,
  intervals = true,
): Point {
  const number = String(candidate.number)
  const wanted = size.name === 'wide' && (candidate.onFront || candidate.state === 'chosen')
  const name = candidate.result.trial.name
  return {
    ...at,
    kind: candidate.state,
    title: describe(view, candidate),
    labels: wanted && name.length <= 44 ? [`${number} ${name}`, number] : [number],
    ...(intervals ? { yInterval: candidate.latency.interval } : {}),
  }
}

function original(view: View, x: number, y: number): Point {
  const title = `original: ${bytes(view.outcome.baseline.bytes)}`
  return { x, y, kind: 'original', title, labels: ['original'] }
}

function describe({ outcome }: View, candidate: Candidate): string {
  const { quality, trial } = candidate.result
  const drop = quality ? `, drop ${measureDrop(outcome.measure, quality.drop)}` : ''
  return `${candidate.number} ${trial.name}: ${bytes(candidate.bytes)}, ${times(candidate.latency.ratio)} the time${drop}`
}

const SYMBOLS: Readonly<Record<'original' | Candidate['state'], Markup>> = {
  original: html`<path class="point original" d="M7,1L13,7L7,13L1,7Z"/>`,
  chosen: html`<circle class="point chosen" cx="7" cy="7" r="3.5"/><circle class="ring" cx="7" cy="7" r="6"/>`,
  good: html`<circle class="point good" cx="7" cy="7" r="4.5"/>`,
  over: html`<path class="point over" d="M3,3L11,11M3,11L11,3"/>`,
  unknown: html`<circle class="point unknown" cx="7" cy="7" r="4.5"/>`,
}

function legend(view: View): Markup {
  const texts = {
    original: 'original',
    chosen: 'chosen',
    good: 'within the budget',
    over: 'costs more quality than allowed',
    unknown: 'quality not measured',
  } as const
  const present = new Set<string>(['original', ...view.candidates.map((c) => c.state)])
  const entries = Object.entries(texts).filter(([state]) => present.has(state))
  return html`<ul class="legend">${entries.map(([state, label]) => html`<li><svg class="symbol" viewBox="0 0 14 14" aria-hidden="true">${SYMBOLS[state as keyof typeof SYMBOLS]}</svg> ${label}</li>`)}</ul>`
}
