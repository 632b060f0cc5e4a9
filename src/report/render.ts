/** The report: one HTML file that needs nothing else, made from what a compression measured. */

import type { Outcome } from '../search/outcome.js'
import { candidates } from './candidates.js'
import { details } from './details.js'
import { html } from './html.js'
import { plots } from './plots.js'
import { STYLE } from './style.js'
import { summary } from './summary.js'
import { viewOf } from './view.js'

/**
 * A self-contained HTML document: no scripts, no requests (its own policy forbids them). The same outcome gives the
 * same text. Names from the outcome are escaped.
 */
export function renderReport(outcome: Outcome): string {
  const view = viewOf(outcome)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="pare ${outcome.tool.version}">
<title>${outcome.model.name} · pare</title>
<style>${{ markup: STYLE }}</style>
</head>
<body><main>
${summary(view)}
${plots(view)}
${candidates(view)}
${details(view)}
</main></body>
</html>
`.markup
}
