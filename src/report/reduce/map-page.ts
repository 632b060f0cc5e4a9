/** The page of a map: points to zoom into, to colour and to choose from, in one HTML file that needs nothing else. */

import { shorten, significant } from '../../util/format.js'
import { VERSION } from '../../util/version.js'
import { figure } from '../figure.js'
import { html, type Markup } from '../html.js'
import { renderPage } from '../page.js'
import { lines } from '../svg/lines.js'
import { MAP_SCRIPT, MAP_SCRIPT_SHA256 } from './map-script.js'
import { MAP_STYLE } from './map-style.js'
import { MOST_EXACT, type PointMap, packMap } from './point-map.js'

export interface MapReport {
  /** `t-SNE of digits.csv` */
  readonly title: string
  /** How to read it. */
  readonly note: string
  readonly map: PointMap
  /** Names and values of what made it. */
  readonly facts: readonly (readonly [string, string])[]
  /** The loss over the iterations, every `every` of them from iteration `first` on; empty where there is none. */
  readonly losses: { readonly values: readonly number[]; readonly first: number; readonly every: number }
  readonly commandLine: string
}

/** A self-contained HTML document with a script of its own and no requests. Throws `MAP_POINTS`. */
export function renderMap(report: MapReport): string {
  const { title, map } = report
  const body = html`<header><p class="eyebrow">pare ${VERSION}</p><h1>${shorten(title, 120)}</h1></header>
${interactive(map, title)}
<section><p class="note">${report.note}</p></section>
<section><h2>How it was made</h2><dl class="facts">${report.facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>
${curve(report)}
<section><h2>Do it again</h2><p class="note">The same table, seed and number of threads give the same map.</p><pre>${report.commandLine}</pre></section>
${{ markup: `<script type="application/json" id="map-data">${dataText(map)}</script>` }}`
  return renderPage({
    title,
    version: VERSION,
    body,
    style: MAP_STYLE,
    script: { text: MAP_SCRIPT, sha256: MAP_SCRIPT_SHA256 },
  })
}

/** JSON in which nothing ends the element that it stands in. */
const dataText = (map: PointMap): string => JSON.stringify(packMap(map)).replaceAll('<', '\\u003c')

function interactive(map: PointMap, title: string): Markup {
  const { columns } = map
  const rounded = map.x.length > MOST_EXACT ? ' Coordinates in this page are rounded to 1/65535 of their range.' : ''
  return html`<div class="map">
<div class="map-tools">
<div class="map-group" role="group" aria-label="What dragging does">${modeButton('move', 'Move', true)}${modeButton('lasso', 'Lasso', false)}${modeButton('rectangle', 'Rectangle', false)}</div>
<div class="map-group" role="group" aria-label="Zoom">${button('map-out', '−', 'Zoom out')}${button('map-in', '+', 'Zoom in')}${button('map-reset', 'Whole map', 'Show the whole map')}</div>
</div>
<div class="map-stage" id="map-stage" data-tool="move" tabindex="0" role="application" aria-label="${title}: arrow keys move the map, plus and minus zoom, 0 shows all, Escape gives up the choice" aria-describedby="map-help"><canvas id="map-canvas"></canvas><svg aria-hidden="true"><path id="map-outline" d=""/><circle id="map-ring" r="6" hidden="hidden"/></svg><div class="map-tip" id="map-tip" hidden="hidden"></div><div class="map-status" id="map-status" role="status"></div></div>
<div class="map-side">
<noscript><p>The map is drawn by a script in this file, and scripts are switched off here.</p></noscript>
${columns.length > 0 && html`<h2 id="map-by">Colour</h2>${columns.length > 1 ? html`<select id="map-colour" aria-labelledby="map-by">${columns.map(({ name }) => html`<option>${shorten(name, 40)}</option>`)}</select>` : html`<p class="note">${shorten(columns[0]!.name, 40)}</p>`}`}
<div class="map-legend" id="map-legend"></div>
<div class="map-buttons" id="map-all" hidden="hidden">${button('map-show', 'All', 'Show all classes')}${button('map-hide', 'None', 'Hide all classes')}</div>
<h2>Choice</h2>
<p id="map-count" role="status">No points are chosen.</p>
<div class="map-buttons">${button('map-download', 'Download CSV', 'Row numbers, coordinates and columns of the chosen points')}${button('map-clear', 'Clear', 'Give up the choice')}${button('map-seen', 'Choose what is seen', 'Choose all points in sight')}</div>
<p class="note" id="map-help">${map.x.length.toLocaleString('en')} points. Drag to move, wheel or pinch to zoom, point at one to see its row. Lasso and Rectangle choose points, with Shift more of them.${rounded}</p>
</div>
</div>`
}

const button = (id: string, label: string, title: string): Markup =>
  html`<button type="button" id="${id}" title="${title}" aria-label="${label.length > 1 ? label : title}">${label}</button>`

const modeButton = (mode: string, label: string, isOn: boolean): Markup =>
  html`<button type="button" data-mode="${mode}" aria-pressed="${String(isOn)}">${label}</button>`

function curve({ losses: { values, first, every } }: MapReport): Markup | false {
  if (values.length < 2) return false
  const points = values.map((y, i) => ({ x: first + i * every, y }))
  const draw = figure(
    [260, 240],
    ({ name, width, height }) =>
      lines({
        id: `loss-${name}`,
        width,
        height,
        title: 'Loss over the iterations',
        description: `From ${significant(values[0]!)} to ${significant(values.at(-1)!)}.`,
        xTitle: 'iteration',
        yTitle: 'Kullback-Leibler divergence',
        format: (v) => significant(v, 2),
        series: [{ name: 'loss', kind: 'good', points }],
      }),
    'How far the neighbourhoods of the map are from those of the data; lower is better. A step stands where the exaggeration of the first iterations ends.',
  )
  return html`<section><h2>How it converged</h2>${draw}</section>`
}
