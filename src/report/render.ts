/** The report: one HTML file that needs nothing else, made from what a compression measured. */

import type { Outcome } from '../search/outcome.js'
import { candidates } from './candidates.js'
import { details } from './details.js'
import { front } from './front.js'
import { html } from './html.js'
import { renderPage } from './page.js'
import { plots } from './plots.js'
import { summary } from './summary.js'
import { viewOf } from './view.js'

/**
 * A self-contained HTML document: no scripts, no requests (its own policy forbids them). The same outcome gives the
 * same text. Names from the outcome are escaped.
 */
export function renderReport(outcome: Outcome): string {
  const view = viewOf(outcome)
  const body = html`${summary(view)}
${plots(view)}
${front(view)}
${candidates(view)}
${details(view)}`
  return renderPage({ title: outcome.model.name, version: outcome.tool.version, body })
}
