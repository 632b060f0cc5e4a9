/** How much each component holds, and all up to it: where the curve bends, what follows is much like noise. */

import { percent, significant } from '../../util/format.js'
import { figure, type Size } from '../figure.js'
import { html, type Markup } from '../html.js'
import { type LinesSpec, lines } from '../svg/lines.js'
import type { PcaReport } from './pca-page.js'

/** Two stand side by side on wide pages. */
const HALF = 444
const HEIGHTS = [320, 280] as const

export function curvesOf(report: PcaReport): Markup | false {
  const { explainedVarianceRatio: ratios, nComponents, rows, names } = report
  if (nComponents < 2 || !(ratios[0]! > 0)) return false
  let sum = 0
  const cumulative = Array.from(ratios, (ratio, k) => {
    sum += ratio
    return { x: k + 1, y: sum }
  })
  // Of a logarithmic axis: what is left by rounding has no place there.
  const least = ratios[0]! * 1e-12
  const single = Array.from(ratios, (y, k) => ({ x: k + 1, y: Math.max(y, least) }))
  const all = Math.min(rows, names.length)
  const marked = nComponents < all ? { marked: { x: nComponents, label: `${nComponents} kept` } } : {}
  const draw = (of: Omit<LinesSpec, 'width' | 'height' | 'id' | 'xTitle'> & { readonly id: string }, caption: string) =>
    figure(
      HEIGHTS,
      ({ name, width, height }: Size) => lines({ ...of, id: `${of.id}-${name}`, width, height, xTitle: 'component' }),
      caption,
      HALF,
    )
  const left = all - nComponents
  return html`<section><h2>How much each component holds</h2><div class="pair">${draw(
    {
      id: 'scree',
      title: 'Share of the variance of each component',
      description: `From ${percent(ratios[0]!)} to ${percent(ratios.at(-1)!)}.`,
      yTitle: 'share of the variance',
      format: (v) => `${significant(100 * v, 2)} %`,
      series: [{ name: 'each', kind: 'good', points: single }],
      ...marked,
    },
    `The scree: behind a bend, what follows is much alike.${left > 0 && sum < 1 ? ` The ${left} left out hold ${percent((1 - sum) / left)} each in the mean.` : ''}`,
  )}${draw(
    {
      id: 'cumulative',
      title: 'Share of the variance of all components up to each',
      description: `${percent(sum)} with ${nComponents}.`,
      yTitle: 'share together',
      format: (v) => `${significant(100 * v, 3)} %`,
      isShare: true,
      series: [{ name: 'together', kind: 'good', points: [{ x: 0, y: 0 }, ...cumulative] }],
      ...marked,
    },
    'All components up to each, together.',
  )}</div></section>`
}
