/** The coefficients of the chosen model, the largest first. */

import { count, counted, shorten, significant } from '../../util/format.js'
import { html, type Markup } from '../html.js'
import type { FitView } from './view.js'

/** Rows that stand without scrolling, and rows at all. */
const TALL = 30
const MOST = 1000
const NAMED_ZEROS = 12

export function coefficients(view: FitView): Markup {
  const { fit, order } = view
  const coefficients = fit.coefficients[fit.chosen]!
  const kept = order.filter((j) => coefficients[j] !== 0)
  const shown = kept.slice(0, MOST)
  const largest = Math.max(...shown.map((j) => Math.abs(view.standardized(fit.chosen, j))), 0) || 1
  const row = (j: number): Markup => {
    const size = view.standardized(fit.chosen, j)
    return html`<tr><th scope="row">${shorten(fit.names[j]!, 64)}</th><td class="number">${significant(coefficients[j]!, 4)}</td><td class="number">${significant(size, 3)}</td><td class="track" aria-hidden="true">${bar(size / largest)}</td></tr>`
  }
  const tall = shown.length > TALL
  return html`<section aria-labelledby="coefficients"><h2 id="coefficients">Coefficients</h2>
<p class="note">What one unit of the column adds to ${fit.scale}, and what one standard deviation (SD) of it adds; sorted by the latter, which bars show.</p>
<div class="scroll${tall && html` tall`}" tabindex="0" role="region" aria-labelledby="coefficients"><table class="coefficients"><thead><tr><th scope="col">Column</th><th class="number" scope="col">Coefficient</th><th class="number" scope="col">× SD</th><th scope="col"><span aria-hidden="true"></span></th></tr></thead><tbody>${fit.intercepts.map(intercept)}${shown.map(row)}</tbody></table></div>
<p class="note">${below(view, kept.length)}</p></section>`
}

const intercept = ({ name, value }: FitView['fit']['intercepts'][number]): Markup =>
  html`<tr><th scope="row">${shorten(name, 64)}</th><td class="number">${significant(value, 4)}</td><td class="number">—</td><td class="track"></td></tr>`

/** Left of the middle where it is negative. `share`: −1 to 1. */
function bar(share: number): Markup {
  const width = Math.abs(50 * share)
  const kind = share < 0 ? 'bar minus' : 'bar'
  return html`<span class="${kind}" style="width:${width.toFixed(1)}%;margin-left:${(share < 0 ? 50 - width : 50).toFixed(1)}%"></span>`
}

function below({ fit, order }: FitView, kept: number): string {
  const more = kept > MOST ? `${count(kept - MOST)} smaller ones are not shown: pare fit --json has all. ` : ''
  const zeros = order.slice(kept)
  if (zeros.length === 0) return `${more}No ${fit.isByClass ? 'coefficient is 0' : 'column has the coefficient 0'}.`
  const who =
    zeros.length <= NAMED_ZEROS
      ? `: ${zeros
          .toSorted((a, b) => a - b)
          .map((j) => shorten(fit.names[j]!, 40))
          .join(', ')}`
      : ''
  return `${more}${fit.isByClass ? `${counted(zeros.length, 'coefficient')} of 0` : `${counted(zeros.length, 'column')} with the coefficient 0`}${who}.`
}
