/** A map as a picture that scales, with its legend: SVG. */

import { significant } from '../../util/format.js'
import { html, type Markup } from '../html.js'
import { shortenTo } from '../svg/labels.js'
import { coloursOf, type Grouping, groupsOf } from './colours.js'
import { dots, TENTHS } from './dots.js'
import { diameterOf, OPACITY } from './page/paint.js'
import { placesOn } from './places.js'
import { checkMap, type PointMap } from './point-map.js'

const SIDE = 900
const MARGIN = 24
const LEGEND = 180
const ROW = 20

/**
 * A standalone SVG on white: points of a colour are a few paths, steps between them being written, so that 70,000 points
 * take about 0.5 MB. Coloured by the first column. Throws `MAP_POINTS`.
 */
export function mapSvg(map: PointMap, title: string): string {
  checkMap(map)
  const grouping = groupsOf(map.columns[0] ?? null, map.x.length)
  const width = SIDE + (grouping.kind === 'none' ? 0 : LEGEND)
  const colours = coloursOf(grouping, 'light')
  const diameter = diameterOf(map.x.length, { width: SIDE, height: SIDE }, 1)
  return html`<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${SIDE}" width="${width}" height="${SIDE}" role="img" aria-labelledby="title"><title id="title">${title}</title><rect width="100%" height="100%" fill="#ffffff"/>
<g transform="scale(${1 / TENTHS})" fill="none" stroke-linecap="round" stroke-width="${(diameter * TENTHS).toFixed(1)}" stroke-opacity="${OPACITY}">${dots(grouping.of, placesOn(map, SIDE * TENTHS, MARGIN * TENTHS)).map(({ group, d }) => html`<path stroke="${colours[group]!}" d="${d}"/>`)}</g>
${grouping.kind !== 'none' && legend(map, grouping)}</svg>
`.markup
}

const FONT = 'font-family="system-ui, sans-serif" font-size="13" fill="#16191d"'

function legend({ columns }: PointMap, grouping: Grouping): Markup {
  const { kind, groups, ends } = grouping
  const colours = coloursOf(grouping, 'light')
  const left = SIDE + 8
  const name = html`<text x="${left}" y="${MARGIN + 13}" font-weight="600">${shortenTo(columns[0]!.name, LEGEND - 20, 13)}</text>`
  if (kind === 'scale') {
    const steps = colours.slice(0, -1)
    const height = 300 / steps.length
    const bars = steps.map(
      (colour, k) =>
        html`<rect x="${left}" y="${(MARGIN + 24 + 300 - (k + 1) * height).toFixed(1)}" width="14" height="${(height + 0.5).toFixed(1)}" fill="${colour}"/>`,
    )
    const [low, high] = ends!
    return html`<g ${{ markup: FONT }}>${name}${bars}<text x="${left + 22}" y="${MARGIN + 36}">≥ ${significant(high, 4)}</text><text x="${left + 22}" y="${MARGIN + 324}">≤ ${significant(low, 4)}</text></g>`
  }
  const rows = groups.map(({ name, count }, k) => {
    const y = MARGIN + 24 + k * ROW
    return html`<circle cx="${left + 6}" cy="${y + 8}" r="5" fill="${colours[k]!}"/><text x="${left + 20}" y="${y + 13}">${shortenTo(name, LEGEND - 90, 13)} <tspan fill="#59626e">${count.toLocaleString('en')}</tspan></text>`
  })
  return html`<g ${{ markup: FONT }}>${name}${rows}</g>`
}
