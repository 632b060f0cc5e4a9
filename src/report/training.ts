/** The report of a training: one HTML file with its curves, that needs nothing else. */

import { metricNames, type Score } from '../train/evaluate.js'
import type { Epoch } from '../train/loop.js'
import type { Trained } from '../train/train.js'
import { count, duration, metricText, percent, shorten, significant } from '../util/format.js'
import { VERSION } from '../util/version.js'
import { figure, type Size } from './figure.js'
import { html, type Markup } from './html.js'
import { renderPage } from './page.js'
import { type LinesSpec, lines, type Series } from './svg/lines.js'

/** What any report of a training says. */
export interface ReportFacts {
  /** What was trained, as the user named it. */
  readonly name: string
  readonly test: Score | null
  readonly engine: string
  readonly commandLine: string
}

export interface TrainingReport extends ReportFacts {
  readonly trained: Trained
  /** The metric that chose the weights, where the loss did not. */
  readonly bestBy?: string | undefined
}

/** A self-contained HTML document: no scripts, no requests. */
export function renderTraining(report: TrainingReport): string {
  const { name, trained, engine, commandLine } = report
  const body = html`<header>
<p class="eyebrow">pare ${VERSION} · ${shorten(name, 80)}</p>
<h1>${headline(report)}</h1>
<p class="verdict">${verdict(report)}</p>
</header>
<dl class="cards">${cards(report)}</dl>
<section><h2>Loss of each epoch</h2>${curves(lossPlot(trained), 'The training loss is the mean over the epoch’s steps, while the weights changed and with penalties left out; the validation loss is that of the weights at its end, on samples that were not trained on.')}
${hasAccuracy(trained) && html`<h2>Accuracy</h2>${curves(accuracyPlot(trained), 'Share of right answers on the validation samples.')}`}${metricsIn(
  trained,
).map(
  (metric, i) => html`
<h2>${metric}</h2>${curves(metricPlot(trained, metric, i), 'On the validation samples.')}`,
)}</section>
<section><h2>Epochs</h2><div class="scroll">${epochTable(trained)}</div></section>
<section><h2>Do it again</h2><p class="note">On ${engine}. One seed gives the same weights on one kind of machine.</p><pre>${commandLine}</pre></section>`
  return renderPage({ title: name, version: VERSION, body })
}

const hasAccuracy = ({ epochs }: Trained): boolean => epochs.some((e) => e.validation?.accuracy !== undefined)

const metricsIn = ({ epochs, before }: Trained): readonly string[] =>
  metricNames([before, ...epochs.map((e) => e.validation)])

function headline({ trained, test }: TrainingReport): string {
  const best = trained.best === 0 ? trained.before : trained.epochs[trained.best - 1]?.validation
  const score = test ?? best
  if (score?.accuracy !== undefined)
    return `${percent(score.accuracy)} right on ${test ? 'test' : 'validation'} samples`
  return score ? `Loss ${significant(score.loss)} on ${test ? 'test' : 'validation'} samples` : 'Trained'
}

function verdict({ trained: { best, epochs, before }, bestBy }: TrainingReport): string {
  const by = bestBy === undefined ? '' : ` by ${bestBy}`
  if (best === 0) return `No epoch was better${by} than the weights that were given: they are kept.`
  const from = before ? ` The loss was ${significant(before.loss)} before the first step.` : ''
  return `Weights of epoch ${best} of ${epochs.length}${by && `, the best${by}`}.${from}`
}

function cards({ trained, test }: TrainingReport): readonly Markup[] {
  const { epochs, steps, best } = trained
  const chosen = epochs[best - 1]
  const seconds = epochs.reduce((sum, e) => sum + e.seconds, 0)
  const card = (name: string, big: string, note: string): Markup =>
    html`<div class="card"><dt>${name}</dt><dd><span class="big">${big}</span><span class="note">${note}</span></dd></div>`
  return [
    ...(test ? [card('Test loss', significant(test.loss), 'judged once, in the end')] : []),
    ...Object.entries(test?.metrics ?? {}).map(([name, value]) =>
      card(`Test ${name}`, significant(value, 4), 'judged once, in the end'),
    ),
    ...(chosen?.validation ? [card('Validation loss', significant(chosen.validation.loss), `epoch ${best}`)] : []),
    ...(chosen ? [card('Training loss', significant(chosen.trainingLoss), `epoch ${best}`)] : []),
    card('Steps', count(steps), `in ${duration(seconds)}, validation included`),
  ]
}

/** Pixels of the wide and of the narrow drawing. */
const HEIGHTS = [360, 300] as const

const curves = (draw: (size: Size) => LinesSpec, caption: string): Markup =>
  figure(HEIGHTS, (size) => lines(draw(size)), caption)

const points = (values: readonly (readonly [number, number | undefined])[]): Series['points'] =>
  values.flatMap(([x, y]) => (y !== undefined && Number.isFinite(y) ? [{ x, y }] : []))

function lossPlot({ epochs, best, before }: Trained) {
  const training = points(epochs.map((e) => [e.epoch, e.trainingLoss]))
  const start = before ? ([[0, before.loss]] as const) : []
  const validation = points([...start, ...epochs.map((e) => [e.epoch, e.validation?.loss] as const)])
  const series: readonly Series[] = [
    { name: 'training', kind: 'good', points: training },
    ...(validation.length > 0 ? [{ name: 'validation', kind: 'chosen', points: validation } as const] : []),
  ]
  return ({ name, width, height }: Size): LinesSpec => ({
    id: `loss-${name}`,
    width,
    height,
    title: 'Loss of each epoch',
    description: `${epochs.length} epochs; the table below holds every value.`,
    xTitle: 'epoch',
    yTitle: 'loss',
    format: (v) => significant(v, 2),
    series,
    ...(best > 0 && validation.length > 0 && { marked: { x: best, label: 'kept' } }),
  })
}

function accuracyPlot({ epochs }: Trained) {
  const values = points(epochs.map((e) => [e.epoch, e.validation?.accuracy] as const))
  return ({ name, width, height }: Size): LinesSpec => ({
    id: `accuracy-${name}`,
    width,
    height,
    title: 'Accuracy of each epoch',
    description: 'The table below holds every value.',
    xTitle: 'epoch',
    yTitle: 'right answers',
    isShare: true,
    format: (v) => percent(v, 1),
    series: [{ name: 'validation', kind: 'chosen', points: values }],
  })
}

function metricPlot({ epochs, before }: Trained, metric: string, index: number) {
  const rows = [[0, before] as const, ...epochs.map((e) => [e.epoch, e.validation] as const)]
  const values = points(rows.map(([epoch, score]) => [epoch, score?.metrics?.[metric]] as const))
  return ({ name, width, height }: Size): LinesSpec => ({
    id: `metric-${index}-${name}`,
    width,
    height,
    title: `${metric} of each epoch`,
    description: 'The table below holds every value.',
    xTitle: 'epoch',
    yTitle: metric,
    format: (v) => significant(v, 3),
    series: [{ name: 'validation', kind: 'chosen', points: values }],
  })
}

/** An epoch, or, as epoch 0, the weights that were given, which have a score alone. */
type Row = Pick<Epoch, 'epoch'> & Partial<Epoch>

function epochTable(trained: Trained): Markup {
  const { epochs, best, before } = trained
  const rows: readonly Row[] = [...(before ? [{ epoch: 0, validation: before }] : []), ...epochs]
  const judged = epochs.some((e) => e.validation !== undefined)
  const accurate = hasAccuracy(trained)
  const metrics = metricsIn(trained)
  return html`<table><thead><tr><th class="number">Epoch</th><th class="number">Training loss</th>${judged && html`<th class="number">Validation loss</th>`}${accurate && html`<th class="number">Accuracy</th>`}${metrics.map((m) => html`<th class="number">${m}</th>`)}<th class="number">Learning rate</th><th class="number">Time</th></tr></thead><tbody>${rows.map(
    (e) =>
      html`<tr${e.epoch === best && html` class="chosen"`}><td class="number">${e.epoch === 0 ? 'given' : e.epoch}</td><td class="number">${told(e.trainingLoss)}</td>${judged && html`<td class="number">${e.validation ? significant(e.validation.loss) : ''}</td>`}${accurate && html`<td class="number">${e.validation?.accuracy === undefined ? '' : percent(e.validation.accuracy)}</td>`}${metrics.map((m) => html`<td class="number">${metricText(e.validation?.metrics?.[m])}</td>`)}<td class="number">${told(e.learningRate)}</td><td class="number">${e.seconds === undefined ? '' : duration(e.seconds)}</td></tr>`,
  )}</tbody></table>`
}

const told = (value: number | undefined): string => (value === undefined ? '' : significant(value))
