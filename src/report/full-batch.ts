/** The report of a training on all samples at once: one HTML file with its curve, that needs nothing else. */

import type { Score } from '../train/evaluate.js'
import { metricNames } from '../train/evaluate.js'
import type { FullBatchResult } from '../train/full-batch.js'
import { metricText, percent, shorten, significant } from '../util/format.js'
import { VERSION } from '../util/version.js'
import { figure, type Size } from './figure.js'
import { html, type Markup } from './html.js'
import { renderPage } from './page.js'
import { type LinesSpec, lines } from './svg/lines.js'
import type { ReportFacts } from './training.js'

export interface FullBatchReport extends ReportFacts {
  readonly result: FullBatchResult
  /** How it ended, in one sentence. */
  readonly verdict: string
  /** Whether the losses hold penalties. */
  readonly isPenalized: boolean
  readonly training: Score
  readonly validation: Score | null
}

/** Points of a curve, at most: more are not told apart. */
const MOST_POINTS = 1000

/** A self-contained HTML document: no scripts, no requests. */
export function renderFullBatch(report: FullBatchReport): string {
  const { name, result, verdict, isPenalized, engine, commandLine } = report
  const told = isPenalized ? 'Penalized loss' : 'Loss'
  const caption = `${told} on all samples before the first iteration and after each.`
  const body = html`<header>
<p class="eyebrow">pare ${VERSION} · ${shorten(name, 80)}</p>
<h1>${headline(report)}</h1>
<p class="verdict">${verdict}</p>
</header>
<section><h2>${told} of each iteration</h2>${figure([360, 300], (size) => lines(lossPlot(result.losses, told, size)), caption)}<div class="scroll">${iterationTable(result.losses, told)}</div></section>
<section><h2>What the weights come to</h2><div class="scroll">${scoreTable(report)}</div></section>
<section><h2>Do it again</h2><p class="note">On ${engine}.</p><pre>${commandLine}</pre></section>`
  return renderPage({ title: name, version: VERSION, body })
}

function headline({ training, validation, test }: FullBatchReport): string {
  const score = test ?? validation ?? training
  const of = test ? 'test' : validation ? 'validation' : 'training'
  return score.accuracy === undefined
    ? `Loss ${significant(score.loss)} on ${of} samples`
    : `${percent(score.accuracy)} right on ${of} samples`
}

/** Iterations 0, 1, 2, 5, 10, 20, 50 and so on, and the last: enough to see how it goes. */
export function markedIterations(count: number): readonly number[] {
  const marks = [0]
  for (let ten = 1; ten < count; ten *= 10) marks.push(ten, 2 * ten, 5 * ten)
  return [...new Set([...marks.filter((i) => i < count), count - 1])]
}

function lossPlot(losses: readonly number[], told: string, { name, width, height }: Size): LinesSpec {
  const every = Math.ceil(losses.length / MOST_POINTS)
  const points = losses.map((y, x) => ({ x, y })).filter(({ x }) => x % every === 0 || x === losses.length - 1)
  return {
    id: `loss-${name}`,
    width,
    height,
    title: `${told} of each iteration`,
    description: `${losses.length - 1} iterations; the table below holds some of them.`,
    xTitle: 'iteration',
    yTitle: told.toLowerCase(),
    format: (v) => significant(v, 2),
    series: [{ name: 'training', kind: 'chosen', points }],
  }
}

const iterationTable = (losses: readonly number[], told: string): Markup =>
  html`<table><thead><tr><th class="number">Iteration</th><th class="number">${told}</th></tr></thead><tbody>${markedIterations(
    losses.length,
  ).map(
    (i) => html`<tr><td class="number">${i}</td><td class="number">${significant(losses[i]!, 6)}</td></tr>`,
  )}</tbody></table>`

function scoreTable({ training, validation, test }: FullBatchReport): Markup {
  const rows = Object.entries({ training, validation, test }).flatMap(([of, score]) => (score ? [{ of, score }] : []))
  const isAccurate = training.accuracy !== undefined
  const metrics = metricNames(rows.map(({ score }) => score))
  return html`<table><thead><tr><th>Samples</th><th class="number">Loss</th>${isAccurate && html`<th class="number">Accuracy</th>`}${metrics.map((m) => html`<th class="number">${m}</th>`)}</tr></thead><tbody>${rows.map(
    ({ of, score }) =>
      html`<tr><td>${of}</td><td class="number">${significant(score.loss)}</td>${isAccurate && html`<td class="number">${score.accuracy === undefined ? '' : percent(score.accuracy)}</td>`}${metrics.map((m) => html`<td class="number">${metricText(score.metrics?.[m])}</td>`)}</tr>`,
  )}</tbody></table>`
}
