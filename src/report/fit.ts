/** The report of a fit: one HTML file with path, choice, coefficients and residuals, that needs nothing else. */

import { significant } from '../util/format.js'
import { VERSION } from '../util/version.js'
import { coefficients } from './fit/coefficients.js'
import { pathFigure } from './fit/path-figure.js'
import { residuals } from './fit/residuals.js'
import { strengthFigure } from './fit/strength-figure.js'
import { summary } from './fit/summary.js'
import { type FitReport, type FitView, viewOf } from './fit/view.js'
import { html, type Markup } from './html.js'
import { renderPage } from './page.js'

/** A self-contained HTML document: no scripts, no requests. The same fit gives the same text. */
export function renderFit(report: FitReport): string {
  const view = viewOf(report)
  const body = html`${summary(view)}
${pathFigure(view)}
${strengthFigure(view)}
${coefficients(view)}
${residuals(view)}
${again(view)}`
  return renderPage({ title: `${view.model} of ${view.target}`, version: VERSION, body })
}

function again({ commandLine, fit }: FitView): Markup {
  return html`<section><h2>Do it again</h2><p class="note">The same table and seed give the same model.${proof(fit)}</p><pre>${commandLine}</pre></section>`
}

function proof({ dualGap, isLocal, violation }: FitView['fit']): string {
  if (Number.isFinite(dualGap))
    return ` Its loss is at most ${significant(dualGap, 2)} of that of the empty model above the least there is (duality gap).`
  const what = isLocal ? 'As its penalty is not convex it is a local minimum: there' : 'At its minimum'
  return ` ${what} the slope along each standardized column should be 0, and is at most ${significant(violation, 2)}.`
}
