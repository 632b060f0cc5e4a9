/** What `pare fit` says of a model of classes or counts. */

import type { GlmFit } from '../linear/fit-glm.js'
import { count, counted, percent, significant } from '../util/format.js'
import type { Answer } from './command.js'
import { facts, table } from './table.js'
import type { Terminal } from './terminal.js'

/** Coefficients that are shown; --json has them all. */
const TOP = 12

interface Shown {
  readonly from: string
  readonly model: string
  readonly select: string
  readonly output: string
  readonly report: string | undefined
  readonly bytes: number | null
}

export function glmAnswer(fit: GlmFit, shown: Shown, terminal: Terminal): Answer {
  return { text: textOf(fit, shown, terminal), json: { output: shown.output, bytes: shown.bytes, ...summary(fit) } }
}

/** The labels that the coefficient vectors belong to: of two classes the second, without classes none. */
function vectorLabels({ path: { classes }, glm }: GlmFit): readonly (string | null)[] {
  if (classes === null) return [null]
  return glm.coefficients.length === 1 ? [String(classes[1])] : classes.map(String)
}

function summary(fit: GlmFit) {
  const { path, chosen, glm, names, crossValidation, criteria } = fit
  const named = (values: Float64Array) => Object.fromEntries(names.map((name, j) => [name, values[j]!]))
  const byVector = vectorLabels(fit).map((label, k) => ({
    ...(label !== null && { class: label }),
    intercept: glm.intercepts[k]!,
    coefficients: named(glm.coefficients[k]!),
  }))
  return {
    family: path.family,
    ...(path.classes && { classes: path.classes }),
    lambda: glm.lambda,
    devianceRatio: path.devianceRatio[chosen],
    dualGap: path.dualGap[chosen],
    nonzero: path.df[chosen],
    models: byVector,
    ...(crossValidation && {
      deviance: crossValidation.deviance.error[chosen],
      standardError: crossValidation.deviance.standardError[chosen],
      ...(crossValidation.misclassification && { misclassification: crossValidation.misclassification.error[chosen] }),
    }),
    ...(criteria && { aic: criteria.aic[chosen], bic: criteria.bic[chosen], ebic: criteria.ebic[chosen] }),
    ...(path.warnings.length > 0 && { warnings: path.warnings }),
  }
}

function textOf(fit: GlmFit, { from, model, select, output, report }: Shown, terminal: Terminal): string {
  const { path, chosen, glm, names, deviations, crossValidation } = fit
  const labels = vectorLabels(fit)
  const size = (j: number): number => Math.max(...glm.coefficients.map((c) => Math.abs(c[j]! * deviations[j]!)))
  const order = [...names.keys()]
    .filter((j) => glm.coefficients.some((c) => c[j] !== 0))
    .sort((a, b) => size(b) - size(a))
  const cells = (values: ArrayLike<number>): string[] => Array.from(values, (v) => significant(v, 6))
  const rows = [
    ['intercept', ...cells(glm.intercepts)],
    ...order.slice(0, TOP).map((j) => [names[j]!, ...cells(glm.coefficients.map((c) => c[j]!))]),
  ]
  const out = crossValidation && {
    deviance: `${significant(crossValidation.deviance.error[chosen]!, 4)} ± ${significant(crossValidation.deviance.standardError[chosen]!, 2)} on rows left out`,
    wrong: crossValidation.misclassification?.error[chosen],
  }
  const lines: (readonly [string, string])[] = [
    ['table', `${from}: ${count(fit.rows)} rows, ${counted(names.length, 'column')} for the fit`],
    ['model', `${model} of ${fit.target}, ${path.family}, λ = ${significant(glm.lambda, 6)} by ${select}`],
    ...(path.classes ? [['classes', path.classes.join(', ')] as const] : []),
    ['columns', `${order.length} of ${names.length} kept`],
    ['deviance', `${percent(path.devianceRatio[chosen]!)} explained${out ? `; ${out.deviance}` : ''}`],
    ...(out?.wrong === undefined ? [] : [['wrong', `${percent(out.wrong)} of rows left out`] as const]),
    ...gapLine(path.dualGap[chosen]!),
    ['written', output],
    ...(report === undefined ? [] : [['report', report] as const]),
  ]
  const titles = labels.map((label) => ({ title: label ?? 'coefficient', align: 'right' as const }))
  return [
    facts(lines, terminal),
    '',
    table([{ title: 'column', shrinkTo: 20 }, ...titles], rows, terminal),
    ...(order.length > TOP ? [`${order.length - TOP} smaller ones are in --json.`] : []),
  ].join('\n')
}

/** None where there is no gap. */
export const gapLine = (gap: number): readonly (readonly [string, string])[] =>
  Number.isFinite(gap)
    ? [['gap', `${significant(gap, 2)} of the empty model's loss: how far from optimal it can be`]]
    : []
