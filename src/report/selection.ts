/** The report of a selection: one HTML file with the scores of all columns, that needs nothing else. */

import { SCORES } from '../reduce/select/methods.js'
import type { Selection } from '../reduce/select/table.js'
import { count, counted, shorten, significant } from '../util/format.js'
import { VERSION } from '../util/version.js'
import { html, type Markup } from './html.js'
import { renderPage } from './page.js'

export interface SelectionReport {
  readonly table: string
  readonly selection: Selection
  readonly commandLine: string
}

/** Rows that stand without scrolling, and rows at all. */
const TALL = 30
const MOST = 1000

/** A self-contained HTML document: no scripts, no requests. The same selection gives the same text. */
export function renderSelection({ table, selection, commandLine }: SelectionReport): string {
  const { method, target, isClasses, rows, names, kept } = selection
  const about = target === null ? '' : ` for ${shorten(target, 48)}`
  const title = `${kept.length} of ${counted(names.length, 'column')} kept${about}`
  const what = target === null ? '' : `, target ${shorten(target, 48)} (${isClasses ? 'classes' : 'numbers'})`
  const body = html`<p class="eyebrow">${shorten(table, 96)}: ${count(rows)} rows${what}</p><h1>${title}</h1>
<p class="verdict">By ${SCORES[method]}.</p>
${scores(selection)}
<section><h2>Do it again</h2><p class="note">The same table and seed give the same columns.</p><pre>${commandLine}</pre></section>`
  return renderPage({ title, version: VERSION, body })
}

function scores({ order, names, scores: values, kept, parts, passedFor }: Selection): Markup {
  const shown = order.slice(0, MOST)
  const isKept = new Set(kept)
  const drawn = parts?.relevance ?? values
  const largest = Math.max(...shown.map((j) => drawn[j]!)) || 1
  const cell = (value: number): Markup =>
    html`<td class="number">${Number.isNaN(value) ? '—' : significant(value, 4)}</td>`
  const better = (j: number): string | false =>
    passedFor !== null && passedFor[j] !== null && `passed over for ${shorten(names[passedFor[j]!]!, 40)}`
  const row = (j: number): Markup =>
    html`<tr><th scope="row">${shorten(names[j]!, 64)}</th>${parts && html`${cell(parts.relevance[j]!)}${cell(parts.redundancy[j]!)}`}${cell(values[j]!)}<td class="track" aria-hidden="true"><span class="bar" style="width:${((100 * drawn[j]!) / largest).toFixed(1)}%"></span></td><td>${isKept.has(j) ? 'kept' : better(j)}</td></tr>`
  const head = (title: string): Markup => html`<th class="number" scope="col">${title}</th>`
  const heads = html`<th scope="col">Column</th>${parts && html`${head('Relevance')}${head('Redundancy')}`}${head('Score')}<th scope="col"><span aria-hidden="true"></span></th><th scope="col">Kept</th>`
  const rest = order.length - shown.length
  return html`<section aria-labelledby="scores"><h2 id="scores">Scores</h2>
<p class="note">The best first${parts && ', in the order in which they were taken; bars show relevance'}.</p>
<div class="scroll${shown.length > TALL && html` tall`}" tabindex="0" role="region" aria-labelledby="scores"><table><thead><tr>${heads}</tr></thead><tbody>${shown.map(row)}</tbody></table></div>
${rest > 0 && html`<p class="note">${count(rest)} more are not shown: pare select --json has all.</p>`}</section>`
}
