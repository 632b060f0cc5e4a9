/** The frame of every report: one HTML file that needs nothing else. */

import { html, type Markup } from './html.js'
import { STYLE } from './style.js'

export interface Page {
  readonly title: string
  /** Of the tool that made it. */
  readonly version: string
  readonly body: Markup
}

/** A self-contained HTML document: no scripts, no requests (its own policy forbids them). */
export const renderPage = ({ title, version, body }: Page): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="pare ${version}">
<title>${title} · pare</title>
<style>${{ markup: STYLE }}</style>
</head>
<body><main>
${body}
</main></body>
</html>
`.markup
