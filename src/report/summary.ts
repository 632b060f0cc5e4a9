/** The top of the report: headline, verdict, big numbers, warnings. */

import { budgetText, measureDrop, measureValue } from '../search/measure-text.js'
import { speed } from '../search/verdicts.js'
import { bytes, milliseconds, percent, shorten, significant, times } from '../util/format.js'
import { html, type Markup } from './html.js'
import type { View } from './view.js'

export function summary(view: View): Markup {
  const { outcome } = view
  return html`<header>
<p class="eyebrow">pare ${outcome.tool.version} · ${shorten(outcome.model.name, 80)}</p>
<h1>${headline(view)}</h1>
<p class="verdict">${outcome.verdict}</p>
</header>
<dl class="cards">${cards(view)}</dl>
${warnings(outcome.warnings)}`
}

function headline({ outcome, chosen }: View): string {
  if (!chosen) return 'The original is kept'
  const factor = outcome.baseline.bytes / chosen.bytes
  const size =
    factor > 1.005 ? `${times(factor)} smaller` : factor < 0.995 ? `${times(1 / factor)} larger` : 'Same size'
  return `${size}, ${speed(chosen.latency)}`
}

function cards(view: View): readonly Markup[] {
  const { outcome, chosen } = view
  const { baseline } = outcome
  const peak = outcome.chosenPeakMemoryBytes
  return [
    chosen
      ? card(
          'Size of the file',
          bytes(chosen.bytes),
          `from ${bytes(baseline.bytes)}`,
          change(chosen.bytes, baseline.bytes),
        )
      : card('Size of the file', bytes(baseline.bytes), 'unchanged'),
    chosen
      ? card(
          'Latency',
          capitalized(speed(chosen.latency)),
          `median ${milliseconds(chosen.latency.p50)}`,
          `${significant(chosen.latency.ratio)} of the original’s time, measured side by side; 95 % interval ${interval(chosen.latency.interval)}`,
        )
      : card('Latency, median', milliseconds(baseline.latency.p50), 'unchanged'),
    qualityCard(view),
    ...(baseline.peakMemoryBytes === null
      ? []
      : [
          peak === null
            ? card('Peak memory', bytes(baseline.peakMemoryBytes), 'unchanged')
            : card(
                'Peak memory',
                bytes(peak),
                `from ${bytes(baseline.peakMemoryBytes)}`,
                change(peak, baseline.peakMemoryBytes),
              ),
        ]),
  ]
}

function qualityCard({ outcome, chosen }: View): Markup {
  const { measure, budget } = outcome
  const name = measure.kind === 'none' ? 'Quality' : NAMES[measure.kind]
  if (measure.kind === 'none') return card(name, 'not measured', 'no samples were given')
  const quality = chosen?.result.quality
  if (!quality)
    return card(name, measure.baseline === null ? '—' : measureValue(measure, measure.baseline), 'unchanged')
  const from = measure.baseline === null ? '' : `from ${measureValue(measure, measure.baseline)}`
  const where = quality.worst === undefined ? '' : ` in output ${shorten(quality.worst, 40)}`
  const drop = `drop of ${measureDrop(measure, quality.drop)}${where}; allowed ${budgetText(measure, budget.maxDrop)}`
  return card(name, measureValue(measure, quality.value), from, drop)
}

const NAMES = {
  accuracy: 'Accuracy',
  rmse: 'Root mean squared error',
  metric: 'Quality, your metric',
  'top-1 agreement': 'Agreement with the original, top 1',
  'relative error': 'Relative error against the original',
} as const

function card(title: string, big: string, before: string, note?: string): Markup {
  return html`<div class="card"><dt>${title}</dt><dd><span class="big">${big}</span> <span class="change">${before}</span>${note && html`<span class="note">${note}</span>`}</dd></div>`
}

function change(now: number, before: number): string {
  const fraction = now / before - 1
  return `${fraction > 0 ? '+' : ''}${percent(fraction, 0)}`
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const interval = ([low, high]: readonly [number, number]): string => `${significant(low)} to ${significant(high)}`

function warnings(list: readonly string[]): Markup | false {
  if (list.length === 0) return false
  return html`<section class="warnings" aria-labelledby="warnings"><h2 id="warnings">What to know</h2><ul>${list.map((w) => html`<li>${w}</li>`)}</ul></section>`
}
