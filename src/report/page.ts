/** The frame of every report: one HTML file that needs nothing else. */

import { html, type Markup } from './html.js'
import { STYLE } from './style.js'

export interface Page {
  readonly title: string
  /** Of the tool that made it. */
  readonly version: string
  readonly body: Markup
  /** More of it, after the sheet of all reports. */
  readonly style?: string
  /** Of a page that answers to hands and keys. */
  readonly script?: PageScript
}

export interface PageScript {
  /** Runs once the body is there. */
  readonly text: string
  /** Of the text, in base64: the page's policy lets this script run and no other. */
  readonly sha256: string
}

/** A self-contained HTML document: no requests, and no scripts but the given one (its own policy forbids them). */
export const renderPage = ({ title, version, body, style, script }: Page): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'${script && html`; script-src 'sha256-${script.sha256}'`}">
<meta name="generator" content="pare ${version}">
<title>${title} · pare</title>
<style>${{ markup: STYLE }}${style !== undefined && { markup: style }}</style>
</head>
<body><main>
${body}
</main>${script && html`<script>${{ markup: script.text }}</script>`}</body>
</html>
`.markup
