/** The head of the report of a fit: what predicts what, how well, and with how much. */

import type { LinearFit } from '../../linear/fit.js'
import { counted, percent, shorten, significant } from '../../util/format.js'
import { VERSION } from '../../util/version.js'
import { html, type Markup } from '../html.js'
import { explainedLeftOut, howChosen, plusMinus, varianceOf } from './text.js'
import { type FitView, keptOf } from './view.js'

export const summary = (view: FitView): Markup => html`<header>
<p class="eyebrow">pare ${VERSION} · ${shorten(view.table, 80)}</p>
<h1>${headline(view)}</h1>
<p class="verdict">${verdict(view)}</p>
</header>
<dl class="cards">${cards(view)}</dl>`

const explained = (fit: LinearFit): number => explainedLeftOut(fit) ?? fit.path.devianceRatio[fit.chosen]!

function headline(view: FitView): string {
  const { fit, target } = view
  const kept = keptOf(view)
  const total = fit.names.length
  if (varianceOf(fit) === 0) return `${target} is the same in every row`
  if (kept === 0) return `No column helps to predict ${target}`
  const who = kept === total ? counted(total, 'column') : `${kept} of ${counted(total, 'column')}`
  const share = explained(fit)
  if (share <= 0) return `${who} predict ${target} no better than its mean`
  return `${who} explain${kept === 1 ? 's' : ''} ${shareText(share)} of the variance of ${target}`
}

/** Next to all is not all. */
const shareText = (share: number): string => unbroken(percent(share, share < 0.99 ? 0 : 2))

const unbroken = (text: string): string => text.replaceAll(' ', '\u00a0')

function verdict(view: FitView): string {
  const { fit, model, select } = view
  const article = /^[aeiou]/.test(model) ? 'An' : 'A'
  return [
    `${article} ${model} on ${fit.rows} rows and ${counted(fit.names.length, 'column')}.`,
    `${unbroken(`λ = ${significant(fit.linear.lambda)}`)} ${howChosen(select, fit)}.`,
    leftOut(view),
    otherChoice(view),
    atTheEnd(view),
  ]
    .filter((sentence) => sentence !== '')
    .join(' ')
}

function leftOut({ fit }: FitView): string {
  const crossed = fit.crossValidation
  const variance = varianceOf(fit)
  if (variance === 0) return ''
  if (crossed === null)
    return `It explains ${unbroken(percent(fit.path.devianceRatio[fit.chosen]!, 1))} of the variance of the rows that it was fitted on; no rows were left out to judge it.`
  const error = crossed.error[fit.chosen]!
  return `On rows left out it is off by ${significant(Math.sqrt(error))} (root of the mean squared error, ${plusMinus(error, crossed.standardError[fit.chosen]!)} SE); the mean alone would be off by ${significant(Math.sqrt(variance))}.`
}

function otherChoice({ fit }: FitView): string {
  const crossed = fit.crossValidation
  if (crossed === null || crossed.least === crossed.oneStandardError) return ''
  const at = crossed.oneStandardError
  const other = at === fit.chosen ? crossed.least : at
  const what = at === fit.chosen ? 'The least error is at' : 'Within one standard error of the least lies'
  return `${what} ${unbroken(`λ = ${significant(fit.path.lambdas[other]!)}`)} with ${counted(fit.path.df[other]!, 'column')}.`
}

function atTheEnd({ fit }: FitView): string {
  const { lambdas } = fit.path
  const isLast = fit.chosen === lambdas.length - 1 && lambdas.length > 1 && lambdas[fit.chosen]! > 0
  return isLast ? 'The chosen strength is the weakest that was tried: a weaker one may do better.' : ''
}

const card = (name: string, big: string, note: string): Markup =>
  html`<div class="card"><dt>${name}</dt><dd><span class="big">${big}</span><span class="note">${note}</span></dd></div>`

function cards(view: FitView): readonly Markup[] {
  const { fit, select } = view
  const { crossValidation: crossed, chosen, path } = fit
  const inside = path.devianceRatio[chosen]!
  const total = fit.names.length
  const left = explainedLeftOut(fit)
  return [
    ...(crossed
      ? [
          card(
            'Error on rows left out',
            significant(Math.sqrt(crossed.error[chosen]!)),
            `RMSE; squared ${plusMinus(crossed.error[chosen]!, crossed.standardError[chosen]!)} (SE)`,
          ),
        ]
      : []),
    left === null
      ? card('R²', significant(inside), 'on the rows that it was fitted on')
      : card('R² on rows left out', significant(left), `${significant(inside)} on the rows that it was fitted on`),
    card('Columns kept', `${keptOf(view)} of ${total}`, 'whose coefficient is not 0'),
    card('Strength λ', significant(fit.linear.lambda), cardOfChoice(view, select)),
  ]
}

const cardOfChoice = ({ fit }: FitView, select: FitView['select']): string => {
  const at = `number ${fit.chosen + 1} of ${fit.path.lambdas.length}`
  const how = {
    cv: 'least error',
    'cv-1se': 'one-standard-error rule',
    aic: 'least AIC',
    bic: 'least BIC',
    ebic: 'least EBIC',
  }[select]
  return `${how}; ${at} from the strongest`
}
