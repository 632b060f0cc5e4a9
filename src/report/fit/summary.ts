/** The head of the report of a fit: what predicts what, how well, and with how much. */

import type { Selection } from '../../linear/select.js'
import { counted, percent, shorten, significant } from '../../util/format.js'
import { VERSION } from '../../util/version.js'
import { html, type Markup } from '../html.js'
import { explainedLeftOut, plusMinus, type Shown, shareText, unbroken } from './shown.js'
import type { FitView } from './view.js'

export const summary = (view: FitView): Markup => html`<header>
<p class="eyebrow">pare ${VERSION} · ${shorten(view.table, 80)}</p>
<h1>${headline(view)}</h1>
<p class="verdict">${verdict(view)}</p>
</header>
<dl class="cards">${cards(view)}</dl>`

const explained = (fit: Shown): number => explainedLeftOut(fit) ?? fit.explained

function headline(view: FitView): string {
  const { fit, target } = view
  const { kept, columns: total, loss } = fit
  if (loss.empty === 0) return `${target} is the same in every row`
  if (kept === 0) return `No column helps to predict ${target}`
  const who = kept === total ? counted(total, 'column') : `${kept} of ${counted(total, 'column')}`
  const share = explained(fit)
  if (share <= 0)
    return `${who} predict ${target} no better than ${loss.emptyPredicts === 'mean' ? 'its mean' : 'the shares of its classes'}`
  return `${who} explain${kept === 1 ? 's' : ''} ${shareText(share)} of the ${loss.explains} of ${target}`
}

function verdict(view: FitView): string {
  const { fit, model, select } = view
  // M is spoken with a vowel.
  const article = /^([aeiou]|MCP)/.test(model) ? 'An' : 'A'
  const weighed = fit.weights === null ? '' : ` (weighted by ${shorten(fit.weights, 48)})`
  const offset = fit.offset === null ? '' : `, with ${shorten(fit.offset, 48)} as an offset`
  return [
    `${article} ${model} on ${fit.rows} rows${weighed} and ${counted(fit.columns, 'column')}${offset}.`,
    ratiosText(view),
    `${unbroken(`λ = ${significant(fit.lambdas[fit.chosen]!)}`)} ${howChosen(select, fit)}.`,
    leftOut(view),
    otherChoice(view),
    atTheEnd(view),
  ]
    .filter((sentence) => sentence !== '')
    .join(' ')
}

function ratiosText({ fit: { ratios, l1Ratio, criteria }, select }: FitView): string {
  if (ratios.length < 2) return ''
  const all = ratios.map((r) => String(r.l1Ratio))
  const what = criteria === null ? 'error' : select.toUpperCase()
  return `Of the shares ${all.slice(0, -1).join(', ')} and ${all.at(-1)} of the lasso, ${l1Ratio} has the least ${what}.`
}

function leftOut({ fit }: FitView): string {
  const { loss, chosen } = fit
  const { leftOut: crossed, empty, wrong } = loss
  if (empty === 0) return ''
  if (crossed === null)
    return `It explains ${unbroken(percent(fit.explained, 1))} of the ${loss.explains} of the rows that it was fitted on; no rows were left out to judge it.`
  const error = crossed.error[chosen]!
  const spread = plusMinus(error, crossed.standardError[chosen]!)
  if (loss.isSquare)
    return `On rows left out it is off by ${significant(Math.sqrt(error))} (root of the mean squared error, ${spread} SE); the mean alone would be off by ${significant(Math.sqrt(empty))}.`
  const classes = wrong === null ? '' : ` ${unbroken(percent(wrong.error[chosen]!, 1))} of their classes are wrong.`
  return `On rows left out its mean deviance is ${spread} (SE); that of the ${loss.emptyPredicts} alone is ${significant(empty, 4)}.${classes}`
}

function otherChoice({ fit }: FitView): string {
  const crossed = fit.crossValidation
  if (crossed === null || crossed.least === crossed.oneStandardError) return ''
  const at = crossed.oneStandardError
  const other = at === fit.chosen ? crossed.least : at
  const what = at === fit.chosen ? 'The least error is at' : 'Within one standard error of the least lies'
  return `${what} ${unbroken(`λ = ${significant(fit.lambdas[other]!)}`)} with ${counted(fit.df[other]!, fit.isByClass ? 'coefficient' : 'column')}.`
}

function atTheEnd({ fit }: FitView): string {
  const { lambdas } = fit
  const isLast = fit.chosen === lambdas.length - 1 && lambdas.length > 1 && lambdas[fit.chosen]! > 0
  return isLast ? 'The chosen strength is the weakest that was tried: a weaker one may do better.' : ''
}

const card = (name: string, big: string, note: string): Markup =>
  html`<div class="card"><dt>${name}</dt><dd><span class="big">${big}</span><span class="note">${note}</span></dd></div>`

function cards(view: FitView): readonly Markup[] {
  const { fit, select } = view
  const { chosen, loss, explained: inside } = fit
  const left = explainedLeftOut(fit)
  const share = loss.isSquare ? 'R²' : 'Deviance explained'
  const fitted = `${significant(inside)} on the rows that it was fitted on`
  return [
    ...errorCards(fit),
    left === null
      ? card(share, significant(inside), 'on the rows that it was fitted on')
      : card(`${share} on rows left out`, significant(left), fitted),
    keptCard(fit),
    card('Strength λ', significant(fit.lambdas[chosen]!), cardOfChoice(view, select)),
  ]
}

function keptCard({ groups, kept, columns }: Shown): Markup {
  if (groups === null) return card('Columns kept', `${kept} of ${columns}`, 'whose coefficient is not 0')
  return card('Groups kept', `${groups.kept} of ${groups.all}`, `${kept} of ${counted(columns, 'column')}`)
}

function errorCards({ loss, chosen }: Shown): readonly Markup[] {
  const { leftOut, wrong } = loss
  if (leftOut === null) return []
  const spread = plusMinus(leftOut.error[chosen]!, leftOut.standardError[chosen]!)
  if (loss.isSquare) {
    const root = significant(Math.sqrt(leftOut.error[chosen]!))
    return [card('Error on rows left out', root, `RMSE; squared ${spread} (SE)`)]
  }
  if (wrong === null)
    return [card('Deviance on rows left out', significant(leftOut.error[chosen]!), `mean; ${spread} (SE)`)]
  const misses = plusMinus(wrong.error[chosen]!, wrong.standardError[chosen]!)
  return [card('Wrong on rows left out', unbroken(percent(wrong.error[chosen]!, 1)), `share ${misses} (SE)`)]
}

const cardOfChoice = ({ fit }: FitView, select: FitView['select']): string => {
  const at = `number ${fit.chosen + 1} of ${fit.lambdas.length}`
  const how = {
    cv: 'least error',
    'cv-1se': 'one-standard-error rule',
    loo: 'least error',
    aic: 'least AIC',
    bic: 'least BIC',
    ebic: 'least EBIC',
  }[select]
  return `${how}; ${at} from the strongest`
}

/** How the strength was chosen, after `λ = 0.1`. */
function howChosen(select: Selection, fit: Shown): string {
  if (fit.lambdas.length === 1) return 'is the only strength that was fitted'
  const by = `${fit.crossValidation?.foldErrors.length}-fold cross-validation`
  return {
    cv: `has the least error of ${by}`,
    'cv-1se': `is the strongest within one standard error of the least error of ${by}`,
    loo: 'has the least error of rows left out one by one',
    aic: 'has the least AIC',
    bic: 'has the least BIC',
    ebic: 'has the least EBIC',
  }[select]
}
