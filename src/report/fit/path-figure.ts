/** The path of coefficients over the strengths: what comes in first, and how far it grows. */

import { count, shorten } from '../../util/format.js'
import { figure, type Size } from '../figure.js'
import { html, type Markup } from '../html.js'
import { type Curve, type CurvesSpec, curves } from '../svg/curves.js'
import type { FitView } from './view.js'

/** Right of the frame in the wide and in the narrow drawing, the same in all figures over λ. */
export const MARGINS = { wide: 176, narrow: 104 } as const
export const X_TITLE = 'strength λ (log scale), weaker'

/** Curves with a colour and a name, and in the background, at most. */
const NAMED = { wide: 10, narrow: 6 } as const
const BACKGROUND = 500
const HUES = 6

export function pathFigure(view: FitView): Markup {
  const { fit } = view
  const moving = view.order.filter((j) => fit.coefficients.some((c) => c[j] !== 0))
  const heading = html`<h2>How coefficients grow as the penalty weakens</h2>`
  if (moving.length === 0)
    return html`<section>${heading}<p>All coefficients are 0 at every strength: there is no path to draw.</p></section>`
  return html`<section>${heading}${figure([460, 400], (size) => curves(specOf(view, moving, size)), caption(view, moving.length))}</section>`
}

function caption({ fit }: FitView, moving: number): string {
  const named =
    moving > NAMED.narrow
      ? ' Those largest at the chosen strength have names, then those largest at the right end; where there is no room for all, the others are grey.'
      : ''
  const left =
    moving > BACKGROUND + NAMED.wide ? ` Of ${count(moving)} that move, the largest ${BACKGROUND} are drawn.` : ''
  return `Each line is one column${fit.isByClass ? ' for one class' : ''}: its coefficient times the column’s standard deviation, so that all are on the scale of ${fit.scale} and can be compared. Numbers along the top count the ${fit.isByClass ? 'coefficients' : 'columns'} that are not 0.${named}${left}`
}

function specOf(view: FitView, moving: readonly number[], { name, width, height }: Size): CurvesSpec {
  const { fit, strengths, standardized } = view
  const byStrength = new Map(strengths.map((s, i) => [s, i]))
  const curveOf = (j: number, rank: number): Curve => ({
    name: rank < NAMED[name] ? fit.names[j]! : '',
    tone: rank >= NAMED[name] ? 'rest' : `hue${rank % HUES}${rank < HUES ? '' : ' dashed'}`,
    points: fromLastZero(strengths.map((x, i) => ({ x, y: standardized(i, j) }))),
  })
  return {
    id: `path-${name}`,
    width,
    height,
    title: 'Coefficients over the strength of the penalty',
    description: `${moving.length} ${fit.isByClass ? 'coefficients' : 'columns'} over ${strengths.length} strengths; the table below holds the coefficients of the chosen one.`,
    xTitle: X_TITLE,
    yTitle:
      name === 'narrow'
        ? 'coefficient × SD'
        : `coefficient × SD of its column${fit.loss.isSquare ? `, in units of ${shorten(fit.target, 24)}` : ''}`,
    xs: strengths,
    curves: moving.slice(0, BACKGROUND + NAMED.wide).map(curveOf),
    marks: view.marks,
    top: { title: fit.isByClass ? 'not 0' : 'columns kept', at: (x) => String(fit.df[byStrength.get(x)!]!) },
    margin: MARGINS[name],
  }
}

/** A line begins where the column comes in. */
function fromLastZero(points: Curve['points']): Curve['points'] {
  const first = points.findIndex((p) => p.y !== 0)
  return points.slice(Math.max(0, first - 1))
}
