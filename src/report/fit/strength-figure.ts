/** Why this strength: the curve of cross-validation, or those of the information criteria. */

import type { InformationCriteria } from '../../linear/criteria.js'
import type { CrossValidationSummary } from '../../linear/cv-summary.js'
import { counted } from '../../util/format.js'
import { figure, type Size } from '../figure.js'
import { html, type Markup } from '../html.js'
import { type CurvesSpec, curves } from '../svg/curves.js'
import type { Mark } from '../svg/marks.js'
import { MARGINS, X_TITLE } from './path-figure.js'
import type { FitView } from './view.js'

const HEIGHTS = [360, 320] as const
const HEADING = html`<h2>How the strength was chosen</h2>`

export function strengthFigure(view: FitView): Markup | false {
  const { crossValidation, criteria } = view.fit
  if (crossValidation && crossValidation.error.length > 1 && crossValidation.error.every((e, _, all) => e === all[0]))
    return html`<section>${HEADING}<p>Every strength has the same error: there is nothing to choose.</p></section>`
  if (crossValidation) return crossed(view, crossValidation)
  return criteria !== null && judged(view, criteria)
}

function crossed(view: FitView, found: CrossValidationSummary): Markup {
  const { what, how, over } = wordsOf(found)
  const spec = ({ name, width, height }: Size): CurvesSpec => ({
    id: `cross-validation-${name}`,
    width,
    height,
    title: `Error of ${what} over the strength of the penalty`,
    description: `The mean of ${over}, with one standard error to each side, for ${counted(view.strengths.length, 'strength')}.`,
    xTitle: X_TITLE,
    yTitle: `${view.fit.loss.measure}, rows left out`,
    xs: view.strengths,
    curves: [
      {
        name: 'mean ± SE',
        tone: 'good',
        points: view.strengths.map((x, i) => {
          const [y, error] = [found.error[i]!, found.standardError[i]!]
          return { x, y, interval: [y - error, y + error] as const }
        }),
      },
    ],
    marks: view.marks,
    margin: MARGINS[name],
  })
  const caption = `${how} is predicted by a model that was fitted on the others; the line is their mean, bars span one standard error to each side. ${ruleText(found)} As this curve chose λ, its least value is a little better than new rows will be.`
  return html`<section>${HEADING}${figure(HEIGHTS, (size) => curves(spec(size)), caption)}</section>`
}

const wordsOf = ({ foldErrors: { length: folds } }: CrossValidationSummary) =>
  folds === 0
    ? { what: 'rows left out one by one', how: 'Each row', over: 'all rows' }
    : { what: 'cross-validation', how: `Each of ${folds} folds`, over: `${folds} folds` }

const ruleText = ({ least, oneStandardError, error }: CrossValidationSummary): string =>
  least === oneStandardError
    ? error.length === 1
      ? ''
      : 'No stronger λ is within one standard error of the least.'
    : '“one SE” is the strongest λ whose error is within one standard error of the least.'

function judged(view: FitView, criteria: Omit<InformationCriteria, 'noise'>): Markup {
  const lists = [
    ['AIC', criteria.aic],
    ['BIC', criteria.bic],
    ['EBIC', criteria.ebic],
  ] as const
  const chosenBy = view.select.toUpperCase()
  const marks = marksOf(view, lists)
  const spec = ({ name, width, height }: Size): CurvesSpec => ({
    id: `criteria-${name}`,
    width,
    height,
    title: 'Information criteria over the strength of the penalty',
    description: `AIC, BIC and EBIC for ${counted(view.strengths.length, 'strength')}; ${chosenBy} chose.`,
    xTitle: X_TITLE,
    yTitle: 'above the least of each criterion',
    xs: view.strengths,
    curves: lists.map(([label, values], i) => {
      const least = Math.min(...values)
      return {
        name: label,
        tone: label === chosenBy ? 'chosen' : `hue${2 * i} dashed`,
        points: view.strengths.map((x, k) => ({ x, y: values[k]! - least })),
      }
    }),
    marks,
    margin: MARGINS[name],
  })
  return html`<section>${HEADING}${figure(HEIGHTS, (size) => curves(spec(size)), `Each criterion weighs how well the rows are fitted against the number of ${view.fit.counted}, and is shown above its own least value; the lines mark where that is.${view.fit.loss.isSquare ? ' The variance of the noise is that of the weakest penalty of the path.' : ''}`)}</section>`
}

/** Where each criterion is least; those at the same λ together. */
function marksOf(view: FitView, lists: readonly (readonly [string, readonly number[]])[]): readonly Mark[] {
  const at = new Map<number, string[]>()
  for (const [label, values] of lists) {
    const least = values.indexOf(Math.min(...values))
    at.set(least, [...(at.get(least) ?? []), label])
  }
  return [...at].map(([index, labels]) => {
    const isChosen = index === view.fit.chosen
    return { x: view.strengths[index]!, label: `${labels.join(', ')}${isChosen ? ', chosen' : ''}`, isChosen }
  })
}
