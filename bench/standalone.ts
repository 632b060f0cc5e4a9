/** A chart of a report as an SVG file of its own. */

import { html, type Markup } from '../src/report/html.js'
import { STYLE } from '../src/report/style.js'

export function standalone(chart: Markup): string {
  const style = html`<style>${{ markup: STYLE }}</style><rect width="100%" height="100%" style="fill: var(--paper)"/>`
  return chart.markup
    .replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')
    .replace('</desc>', `</desc>${style.markup}`)
}
