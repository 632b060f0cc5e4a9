/** What `pare fit` says of a model, of numbers, classes or counts. */

import type { LinearFit } from '../linear/fit.js'
import type { GlmFit } from '../linear/fit-glm.js'
import { count, counted, percent, significant } from '../util/format.js'
import type { Answer } from './command.js'
import type { ModelName } from './fit-options.js'
import { modelWords } from './fit-words.js'
import { facts, table } from './table.js'
import type { Terminal } from './terminal.js'

/** Coefficients that are shown; --json has them all. */
const TOP = 12

interface Shown {
  readonly from: string
  readonly model: ModelName
  readonly select: string
  readonly output: string
  readonly report: string | undefined
  readonly bytes: number | null
}

type Fact = readonly [string, string]

export function fitAnswer(fit: LinearFit | GlmFit, shown: Shown, terminal: Terminal): Answer {
  const { output, bytes, model } = shown
  return { text: textOf(fit, shown, terminal), json: { output, bytes, model, ...summaryOf(fit) } }
}

interface Vector {
  /** The class that it is for: of two the second; null without classes. */
  readonly label: string | null
  readonly intercept: number
  readonly coefficients: Float64Array
}

function vectorsOf(fit: LinearFit | GlmFit): readonly Vector[] {
  if (!('glm' in fit)) return [{ label: null, ...fit.linear }]
  const { classes } = fit.path
  const { coefficients, intercepts } = fit.glm
  return coefficients.map((of, k) => ({
    label: classes && String(classes[coefficients.length === 1 ? 1 : k]),
    intercept: intercepts[k]!,
    coefficients: of,
  }))
}

function summaryOf(fit: LinearFit | GlmFit) {
  const { path, chosen, names, criteria, weights, l1Ratio, ratios } = fit
  const vectors = vectorsOf(fit).map(({ label, intercept, coefficients }) => ({
    ...(label !== null && { class: label }),
    intercept,
    coefficients: Object.fromEntries(names.map((name, j) => [name, coefficients[j]!])),
  }))
  return {
    lambda: path.lambdas[chosen],
    l1Ratio,
    ...(ratios.length > 1 && { l1Ratios: ratios }),
    ...(weights !== null && { weights }),
    devianceRatio: path.devianceRatio[chosen],
    dualGap: path.dualGap[chosen],
    violation: path.violation[chosen],
    nonzero: path.df[chosen],
    ...(criteria && { aic: criteria.aic[chosen], bic: criteria.bic[chosen], ebic: criteria.ebic[chosen] }),
    ...('glm' in fit ? { ...glmSummary(fit), models: vectors } : { ...linearSummary(fit), ...vectors[0]! }),
  }
}

function linearSummary({ crossValidation, leaveOneOut, chosen, groups }: LinearFit) {
  const leftOut = crossValidation ?? leaveOneOut
  return {
    ...(leftOut && { meanSquaredError: leftOut.error[chosen], standardError: leftOut.standardError[chosen] }),
    ...(groups && { groups }),
  }
}

function glmSummary({ path, chosen, crossValidation: crossed, offset }: GlmFit) {
  return {
    family: path.family,
    ...(path.classes && { classes: path.classes }),
    ...(offset !== null && { offset }),
    ...(crossed && {
      deviance: crossed.deviance.error[chosen],
      standardError: crossed.deviance.standardError[chosen],
      ...(crossed.misclassification && { misclassification: crossed.misclassification.error[chosen] }),
    }),
    ...(path.warnings.length > 0 && { warnings: path.warnings }),
  }
}

function textOf(fit: LinearFit | GlmFit, shown: Shown, terminal: Terminal): string {
  const { path, chosen, names, deviations, weights, ratios, target } = fit
  const vectors = vectorsOf(fit)
  const size = (j: number): number =>
    Math.max(...vectors.map(({ coefficients }) => Math.abs(coefficients[j]! * deviations[j]!)))
  const kept = [...names.keys()].filter((j) => vectors.some(({ coefficients }) => coefficients[j] !== 0))
  const order = kept.toSorted((a, b) => size(b) - size(a))
  const family = 'glm' in fit ? `${fit.path.family}, ` : ''
  const weighed = weights === null ? '' : `, weighted by ${weights}`
  const lines: readonly Fact[] = [
    ['table', `${shown.from}: ${count(fit.rows)} rows${weighed}, ${counted(names.length, 'column')} for the fit`],
    [
      'model',
      `${modelWords(shown.model, fit)} of ${target}, ${family}λ = ${significant(path.lambdas[chosen]!, 6)} by ${shown.select}`,
    ],
    ...('glm' in fit && fit.offset !== null ? [['offset', fit.offset] as const] : []),
    ...(ratios.length > 1 ? [ratiosLine(fit, shown.select)] : []),
    ...('glm' in fit && fit.path.classes ? [['classes', fit.path.classes.join(', ')] as const] : []),
    ...('groups' in fit && fit.groups ? [groupsLine(fit.groups, kept)] : []),
    ['columns', `${kept.length} of ${names.length} kept`],
    ...('glm' in fit ? glmQuality(fit) : linearQuality(fit)),
    proofLine(fit),
    ['written', shown.output],
    ...(shown.report === undefined ? [] : [['report', shown.report] as const]),
  ]
  const cells = (of: (vector: Vector) => number): string[] => vectors.map((v) => significant(of(v), 6))
  return [
    facts(lines, terminal),
    '',
    table(
      [
        { title: 'column', shrinkTo: 20 },
        ...vectors.map(({ label }) => ({ title: label ?? 'coefficient', align: 'right' as const })),
      ],
      [
        ['intercept', ...cells((v) => v.intercept)],
        ...order.slice(0, TOP).map((j) => [names[j]!, ...cells((v) => v.coefficients[j]!)]),
      ],
      terminal,
    ),
    ...(order.length > TOP ? [`${order.length - TOP} smaller ones are in --json.`] : []),
  ].join('\n')
}

function ratiosLine({ ratios }: LinearFit | GlmFit, select: string): Fact {
  const what = select.startsWith('cv') || select === 'loo' ? 'least error' : `least ${select.toUpperCase()}`
  const each = ratios.map(({ l1Ratio, score }) => `${l1Ratio}: ${significant(score, 4)}`)
  return ['shares', `${each.join(', ')} (${what} with this share of the lasso)`]
}

function groupsLine(groups: readonly string[], kept: readonly number[]): Fact {
  return ['groups', `${new Set(kept.map((j) => groups[j])).size} of ${new Set(groups).size} kept`]
}

function linearQuality({ path, chosen, crossValidation, leaveOneOut }: LinearFit): readonly Fact[] {
  const crossed = crossValidation ?? leaveOneOut
  const share: Fact = ['R²', significant(path.devianceRatio[chosen]!, 4)]
  if (crossed === null) return [share]
  const [error, spread] = [crossed.error[chosen]!, crossed.standardError[chosen]!]
  const squares = `mean squared error ${significant(error, 4)} ± ${significant(spread, 2)}`
  return [share, ['RMSE', `${significant(Math.sqrt(error), 4)} on rows left out (${squares})`]]
}

function glmQuality({ path, chosen, crossValidation: crossed }: GlmFit): readonly Fact[] {
  const share = `${percent(path.devianceRatio[chosen]!)} explained`
  if (crossed === null) return [['deviance', share]]
  const { deviance, misclassification: wrong } = crossed
  const [error, spread] = [deviance.error[chosen]!, deviance.standardError[chosen]!]
  return [
    ['deviance', `${share}; ${significant(error, 4)} ± ${significant(spread, 2)} on rows left out`],
    ...(wrong ? [['wrong', `${percent(wrong.error[chosen]!)} of rows left out`] as const] : []),
  ]
}

/** The duality gap; where there is none, how far the conditions of a (local) minimum are missed. */
function proofLine(fit: LinearFit | GlmFit): Fact {
  const { path, chosen, kind, target } = fit
  const gap = path.dualGap[chosen]!
  if (Number.isFinite(gap))
    return ['gap', `${significant(gap, 2)} of the empty model's loss: how far from optimal it can be`]
  const isLocal = kind === 'mcp' || kind === 'scad'
  const unit = 'glm' in fit || fit.variance === 0 ? 1 : Math.sqrt(fit.variance)
  const missed = `missed by ${significant(path.violation[chosen]! / unit, 2)} at most`
  return [
    'optimum',
    `${isLocal ? 'a local one: ' : ''}its conditions are ${missed}${unit === 1 ? '' : `, in SD of ${target}`}`,
  ]
}
