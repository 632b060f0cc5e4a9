/** Predicted against actual values, and what is left: of a model that predicts numbers or counts. */

import { figure, type Size } from '../figure.js'
import { html, type Markup } from '../html.js'
import { type CloudSpec, cloud, MOST_DOTS } from '../svg/cloud.js'
import type { Means } from './shown.js'
import type { FitView } from './view.js'

/** Two stand side by side on wide pages. */
const HALF = 444
const HEIGHTS = [440, 360] as const
/** Rows that are named in the plot of residuals. */
const NAMED = 3
const PARTS = 20

/** Of classes nothing: they have no such plane. Of counts only the former, as their residuals grow with them. */
export function residuals(view: FitView): Markup | false {
  const { means, loss } = view.fit
  if (means === null) return false
  const { actual, fitted, isDrawn } = means
  const left = actual.map((v, i) => v - fitted[i]!)
  const trend = trendOf(fitted, left)
  const who = isDrawn ? `${actual.length} rows, drawn from all ${view.fit.rows}` : `All ${actual.length} rows`
  const squares = actual.length > MOST_DOTS ? ', counted in squares: the stronger the colour, the more rows' : ''
  const how = squares === '' && !isDrawn ? '' : `${who}${squares}. `
  const half = (draw: (size: Size) => CloudSpec, caption: string): Markup =>
    figure(HEIGHTS, (size) => cloud(draw(size)), caption, HALF)
  return html`<section><h2>Predicted and actual</h2><div class="pair">${half((size) => agreement(view, means, size), `${how}These are the rows that the model was fitted on. On the line the prediction is right.`)}${loss.isSquare && half((size) => remains(view, { means, left, trend }, size), `${how}Residuals are actual − predicted.${trend ? ` The solid line is their mean over ${trend.length} equal parts of the rows: where it leaves 0, the model is bent or misses something.` : ''} Numbers are rows of the table with the largest residuals.`)}</div></section>`
}

function agreement({ target }: FitView, { actual, fitted }: Means, { name, width, height }: Size): CloudSpec {
  return {
    id: `agreement-${name}`,
    width,
    height,
    title: 'Actual against predicted values',
    description: `${actual.length} rows that the model was fitted on, and the line where both are equal.`,
    xTitle: `predicted ${short(target)}`,
    yTitle: `actual ${short(target)}`,
    x: fitted,
    y: actual,
    line: 'identity',
  }
}

interface Remains {
  readonly means: Means
  readonly left: Float64Array
  readonly trend: ReturnType<typeof trendOf>
}

function remains({ target }: FitView, { means, left, trend }: Remains, { name, width, height }: Size): CloudSpec {
  return {
    id: `residuals-${name}`,
    width,
    height,
    title: 'Residuals against predicted values',
    description: `${left.length} rows that the model was fitted on, and the line where nothing is left.`,
    xTitle: `predicted ${short(target)}`,
    yTitle: 'residual',
    x: means.fitted,
    y: left,
    line: 'zero',
    ...(trend && { trend }),
    named: largest(left).map((at) => ({ at, label: `row ${(means.sampled?.[at] ?? at) + 1}` })),
  }
}

const short = (target: string): string => ([...target].length > 24 ? 'value' : target)

function largest(left: Float64Array): readonly number[] {
  const [most] = [left.reduce((a, v) => Math.max(a, Math.abs(v)), 0)]
  if (most === 0) return []
  return [...left.keys()].sort((a, b) => Math.abs(left[b]!) - Math.abs(left[a]!)).slice(0, NAMED)
}

/** Means over parts of the rows in the order of the predictions; null where rows or predictions are too few. */
function trendOf(x: Float64Array, y: Float64Array) {
  const parts = Math.min(PARTS, Math.floor(x.length / 10))
  if (parts < 4) return null
  const order = [...x.keys()].sort((a, b) => x[a]! - x[b]!)
  if (!(x[order.at(-1)!]! > x[order[0]!]!)) return null
  return Array.from({ length: parts }, (_, k) => {
    const rows = order.slice(Math.floor((k * order.length) / parts), Math.floor(((k + 1) * order.length) / parts))
    const mean = (v: Float64Array): number => rows.reduce((sum, i) => sum + v[i]!, 0) / rows.length
    return { x: mean(x), y: mean(y) }
  })
}
