/** What the page shows of a fit, of numbers, classes or counts alike: coefficients of all vectors in one list. */

import type { InformationCriteria } from '../../linear/criteria.js'
import type { CrossValidationSummary } from '../../linear/cv-summary.js'
import type { LinearFit } from '../../linear/fit.js'
import type { GlmFit } from '../../linear/fit-glm.js'
import type { GlmModel } from '../../linear/glm-path.js'
import type { RatioScore } from '../../linear/select.js'
import { percent, shorten, significant } from '../../util/format.js'

export interface Shown {
  readonly target: string
  readonly rows: number
  /** The columns of weights and offsets; null where there are none. */
  readonly weights: string | null
  readonly offset: string | null
  /** Groups of columns and how many of them the chosen model uses; null where columns come and go one by one. */
  readonly groups: { readonly kept: number; readonly all: number } | null
  readonly ratios: readonly RatioScore[]
  readonly l1Ratio: number
  /** Whether a (local) minimum was looked for of what is not convex. */
  readonly isLocal: boolean
  /** By how much the conditions of the minimum are missed. */
  readonly violation: number
  /** What criteria weigh the fit against. */
  readonly counted: 'columns' | 'coefficients' | 'effective degrees of freedom'
  /** Columns of X, and how many of them the chosen model uses. */
  readonly columns: number
  readonly kept: number
  /** Of the coefficients: of the column, with its class where each has its own vector. */
  readonly names: readonly string[]
  readonly isByClass: boolean
  readonly deviations: Float64Array
  readonly lambdas: Float64Array
  /** By λ: one for each name. */
  readonly coefficients: readonly Float64Array[]
  readonly df: readonly number[]
  readonly chosen: number
  readonly intercepts: readonly { readonly name: string; readonly value: number }[]
  /** Share that is explained on the rows that it was fitted on. */
  readonly explained: number
  readonly dualGap: number
  /** Without folds where each row was left out. */
  readonly crossValidation: CrossValidationSummary | null
  readonly criteria: Omit<InformationCriteria, 'noise'> | null
  readonly loss: Loss
  /** What coefficients are added up to. */
  readonly scale: string
  /** Null of classes. */
  readonly means: Means | null
}

export interface Means {
  readonly actual: Float64Array
  readonly fitted: Float64Array
  /** Rows, from 0, that these are of; null where they are of all. */
  readonly sampled: Uint32Array | null
  /** Whether they were drawn. */
  readonly isDrawn: boolean
}

/** What is made small: squares, or the deviance. */
export interface Loss {
  readonly isSquare: boolean
  /** What chose, on rows left out. */
  readonly measure: string
  readonly explains: 'variance' | 'deviance'
  /** Of the empty model, by row. */
  readonly empty: number
  /** What the empty model predicts. */
  readonly emptyPredicts: 'mean' | 'shares of its classes'
  /** On rows left out; null where there are none. */
  readonly leftOut: CrossValidationSummary | null
  readonly wrong: CrossValidationSummary | null
}

export const shownOf = (fit: LinearFit | GlmFit): Shown => ('glm' in fit ? shownGlm(fit) : shownLinear(fit))

function shownLinear(fit: LinearFit): Shown {
  const { names, path, chosen, linear, actual, fitted, sampled, isDrawn, leaveOneOut, kind, groups, l1Ratio } = fit
  const crossValidation = fit.crossValidation ?? (leaveOneOut && { ...leaveOneOut, foldErrors: [] })
  const keptGroups = new Set(groups?.filter((_, j) => linear.coefficients[j] !== 0))
  const isShrunk = kind === 'group-lasso' || (kind === 'elastic-net' && l1Ratio < 1)
  return {
    ...fit,
    crossValidation,
    columns: names.length,
    kept: path.df[chosen]!,
    offset: null,
    groups: groups && { kept: keptGroups.size, all: new Set(groups).size },
    isLocal: kind === 'mcp' || kind === 'scad',
    violation: path.violation[chosen]!,
    counted: isShrunk ? 'effective degrees of freedom' : 'columns',
    isByClass: false,
    lambdas: path.lambdas,
    coefficients: path.models.map((m) => m.coefficients),
    df: path.df,
    intercepts: [{ name: 'intercept', value: linear.intercept }],
    explained: path.devianceRatio[chosen]!,
    dualGap: path.dualGap[chosen]!,
    loss: {
      isSquare: true,
      measure: 'mean squared error',
      explains: 'variance',
      empty: fit.variance,
      emptyPredicts: 'mean',
      leftOut: crossValidation,
      wrong: null,
    },
    scale: shorten(fit.target, 48),
    means: { actual, fitted, sampled, isDrawn },
  }
}

function shownGlm(fit: GlmFit): Shown {
  const { names, path, chosen, glm, crossValidation } = fit
  const isByClass = glm.coefficients.length > 1
  const labels = isByClass ? path.classes!.map((label) => ` (${label})`) : ['']
  const flat = ({ coefficients }: GlmModel): Float64Array => Float64Array.from(coefficients.flatMap((c) => [...c]))
  return {
    ...fit,
    columns: names.length,
    kept: names.filter((_, j) => glm.coefficients.some((c) => c[j] !== 0)).length,
    groups: null,
    isLocal: false,
    violation: path.violation[chosen]!,
    counted: isByClass ? 'coefficients' : 'columns',
    names: labels.flatMap((label) => names.map((name) => `${name}${label}`)),
    isByClass,
    deviations: Float64Array.from(labels.flatMap(() => [...fit.deviations])),
    lambdas: path.lambdas,
    coefficients: path.models.map(flat),
    df: path.df,
    intercepts: labels.map((label, k) => ({ name: `intercept${label}`, value: glm.intercepts[k]! })),
    explained: path.devianceRatio[chosen]!,
    dualGap: path.dualGap[chosen]!,
    loss: {
      isSquare: false,
      measure: crossValidation?.measure === 'misclassification' ? 'share of wrong classes' : 'mean deviance',
      explains: 'deviance',
      empty: path.nullDeviance,
      emptyPredicts: path.classes ? 'shares of its classes' : 'mean',
      leftOut: crossValidation?.deviance ?? null,
      wrong: crossValidation?.misclassification ?? null,
    },
    scale: scaleOf(fit),
    means: fit.means && { ...fit.means, isDrawn: false },
  }
}

function scaleOf({ target, path: { family, classes } }: GlmFit): string {
  if (family === 'multinomial') return 'the log weight of its class'
  if (family === 'binomial') return `the log odds of ${shorten(String(classes![1]), 32)}`
  return family === 'poisson' ? `the log of ${shorten(target, 48)}` : shorten(target, 48)
}

/** Share that is explained on rows left out, or null where none were. */
export function explainedLeftOut({ loss: { leftOut, empty }, chosen }: Shown): number | null {
  const error = leftOut?.error[chosen]
  return error === undefined || empty === 0 ? null : 1 - error / empty
}

/** `0.5330 ± 0.0092`: a value with as many digits as two of its standard error tell. */
export function plusMinus(value: number, error: number): string {
  if (!(error > 0) || !Number.isFinite(error)) return significant(value, 4)
  const digits = Math.floor(Math.log10(Math.abs(value))) - Math.floor(Math.log10(error)) + 2
  return `${significant(value, Math.min(15, Math.max(1, digits)))} ± ${significant(error, 2)}`
}

/** Numbers do not part from their units at the end of a line. */
export const unbroken = (text: string): string => text.replaceAll(' ', '\u00a0')

/** Next to all is not all. */
export const shareText = (share: number): string => unbroken(percent(share, share < 0.99 ? 0 : 2))
