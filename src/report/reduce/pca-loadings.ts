/** What components are made of: the columns with the largest loadings. */

import { counted, percent, shorten, significant } from '../../util/format.js'
import { html, type Markup } from '../html.js'
import type { PcaReport } from './pca-page.js'

const COMPONENTS = 6
const COLUMNS = 10

export function loadings(report: PcaReport): Markup {
  const { nComponents } = report
  const shown = Math.min(COMPONENTS, nComponents)
  const rest =
    nComponents > shown ? ` The first ${shown} components are shown; the model (--model) holds all ${nComponents}.` : ''
  return html`<section aria-labelledby="loadings"><h2 id="loadings">What they are made of</h2>
<p class="note">Loadings are the entries of a component, whose squares add up to 1: how much a step along it changes each ${report.isStandardized ? 'standardized ' : ''}column. Largest first; a sign has a meaning only beside the others.${rest}</p>
<div class="pair">${Array.from({ length: shown }, (_, k) => tableOf(report, k))}</div></section>`
}

function tableOf({ components, names, explainedVarianceRatio }: PcaReport, k: number): Markup {
  const p = names.length
  const own = components.subarray(k * p, (k + 1) * p)
  const order = [...own.keys()].sort((a, b) => Math.abs(own[b]!) - Math.abs(own[a]!))
  const shown = order.slice(0, COLUMNS)
  const largest = Math.abs(own[order[0]!]!) || 1
  const squares = order.slice(COLUMNS).reduce((sum, j) => sum + own[j]! ** 2, 0)
  const row = (j: number): Markup =>
    html`<tr><th scope="row">${shorten(names[j]!, 40)}</th><td class="number">${significant(own[j]!)}</td><td class="track" aria-hidden="true">${bar(own[j]! / largest)}</td></tr>`
  const rest =
    p > COLUMNS &&
    html`<p class="note">${counted(p - COLUMNS, 'column')} more: ${percent(squares, 1)} of the component.</p>`
  return html`<div class="scroll"><table class="coefficients"><caption>Component ${k + 1}: ${percent(explainedVarianceRatio[k]!, 1)} of the variance</caption><thead><tr><th scope="col">Column</th><th class="number" scope="col">Loading</th><th scope="col"><span aria-hidden="true"></span></th></tr></thead><tbody>${shown.map(row)}</tbody></table>${rest}</div>`
}

/** Left of the middle where it is negative. `share`: −1 to 1. */
function bar(share: number): Markup {
  const width = Math.abs(50 * share)
  const kind = share < 0 ? 'bar minus' : 'bar'
  return html`<span class="${kind}" style="width:${width.toFixed(1)}%;margin-left:${(share < 0 ? 50 - width : 50).toFixed(1)}%"></span>`
}
