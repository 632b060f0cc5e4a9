/** The table of all candidates, and those that failed with the reason. */

import { measureDrop, measureValue } from '../search/measure-text.js'
import { bytes, milliseconds, significant } from '../util/format.js'
import { html, type Markup } from './html.js'
import type { Candidate, View } from './view.js'

export function candidates(view: View): Markup {
  const { outcome } = view
  const hasQuality = outcome.measure.kind !== 'none'
  return html`<section aria-labelledby="candidates"><h2 id="candidates">All candidates</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="candidates"><table>
<caption>${view.candidates.length} measured, best ${outcome.budget.for === 'size' ? 'size' : 'latency'} first${view.failed.length > 0 && html`; ${view.failed.length} failed`}.</caption>
<thead><tr><th class="number" scope="col">#</th><th scope="col">Candidate</th><th class="number" scope="col">Size</th><th class="number" scope="col">p50</th><th class="number" scope="col">p95</th><th class="number" scope="col">Latency ÷ original</th>${hasQuality && html`<th class="number" scope="col">${outcome.measure.kind}</th><th class="number" scope="col">Drop</th>`}</tr></thead>
<tbody>${originalRow(view, hasQuality)}${view.candidates.map((c) => row(view, c, hasQuality))}</tbody>
</table></div>
${view.failed.length > 0 && failures(view)}</section>`
}

function originalRow({ outcome }: View, hasQuality: boolean): Markup {
  const { baseline, measure } = outcome
  return html`<tr><td class="number"></td><th scope="row">original${outcome.chosen === null && html` <span class="tag chosen">kept</span>`}</th><td class="number">${bytes(baseline.bytes)}</td><td class="number">${milliseconds(baseline.latency.p50)}</td><td class="number">${milliseconds(baseline.latency.p95)}</td><td class="number">1</td>${hasQuality && html`<td class="number">${measure.baseline === null ? '—' : measureValue(measure, measure.baseline)}</td><td class="number">—</td>`}</tr>`
}

function row({ outcome }: View, c: Candidate, hasQuality: boolean): Markup {
  const { quality, trial } = c.result
  const { measure } = outcome
  const [low, high] = c.latency.interval
  return html`<tr class="${c.state}"><td class="number">${c.number}</td><th scope="row">${trial.name}${tags(c)}</th><td class="number">${bytes(c.bytes)}</td><td class="number">${milliseconds(c.latency.p50)}</td><td class="number">${milliseconds(c.latency.p95)}</td><td class="number">${significant(c.latency.ratio)} <span class="note">${significant(low)}–${significant(high)}</span></td>${hasQuality && html`<td class="number">${quality ? measureValue(measure, quality.value) : '—'}</td><td class="number">${quality ? measureDrop(measure, quality.drop) : '—'}</td>`}</tr>`
}

function tags(c: Candidate): Markup {
  return html`${c.state === 'chosen' && html` <span class="tag chosen">chosen</span>`}${c.onFront && html` <span class="tag front">front</span>`}${c.state === 'over' && html` <span class="tag over">over budget</span>`}`
}

function failures({ failed }: View): Markup {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Failed candidates"><table><caption>Candidates that failed</caption><thead><tr><th scope="col">Candidate</th><th scope="col">Reason</th></tr></thead><tbody>${failed.map(({ trial, error }) => html`<tr class="failed"><th scope="row">${trial.name}</th><td class="name">${error ?? 'no reason was recorded'}</td></tr>`)}</tbody></table></div>`
}
