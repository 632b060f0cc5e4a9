/** What the parts of the report of a fit show, worked out once. */

import type { LinearFit, Selection } from '../../linear/fit.js'
import { shorten } from '../../util/format.js'
import type { Mark } from '../svg/marks.js'

export interface FitReport {
  /** The table, as the user named it. */
  readonly table: string
  /** What was fitted, in words: `lasso`. */
  readonly model: string
  readonly select: Selection
  readonly fit: LinearFit
  readonly commandLine: string
}

export interface FitView extends FitReport {
  /** Of the column that is predicted, short enough for titles. */
  readonly target: string
  /** By λ, as it stands on the axis: 0 has no place there, and stands at the right end. */
  readonly strengths: readonly number[]
  /** A coefficient times the standard deviation of its column: what one such step of the column changes. */
  standardized(lambda: number, column: number): number
  /** Columns from the largest standardized coefficient of the chosen model down, then of the last one of the path. */
  readonly order: readonly number[]
  /** Choices of λ that are worth a line. */
  readonly marks: readonly Mark[]
}

export function viewOf(report: FitReport): FitView {
  const { fit } = report
  const standardized = (lambda: number, column: number): number =>
    fit.path.models[lambda]!.coefficients[column]! * fit.deviations[column]!
  const strengths = strengthsOf(fit.path.lambdas)
  const last = strengths.length - 1
  const size = (lambda: number, j: number): number => Math.abs(standardized(lambda, j))
  const order = [...fit.names.keys()].sort(
    (a, b) => size(fit.chosen, b) - size(fit.chosen, a) || size(last, b) - size(last, a),
  )
  return {
    ...report,
    target: shorten(fit.target, 48),
    strengths,
    standardized,
    order,
    marks: marksOf(report, strengths),
  }
}

function strengthsOf(lambdas: Float64Array): readonly number[] {
  const least = lambdas.findLast((v) => v > 0) ?? 1
  return Array.from(lambdas, (v) => (v > 0 ? v : least / 2))
}

function marksOf({ fit, select }: FitReport, strengths: readonly number[]): readonly Mark[] {
  const mark = (at: number, label: string): Mark => {
    const isChosen = at === fit.chosen
    return { x: strengths[at]!, label: isChosen ? `${label}, chosen` : label, isChosen }
  }
  const crossed = fit.crossValidation
  if (crossed === null) return [mark(fit.chosen, `least ${select.toUpperCase()}`)]
  const { least, oneStandardError } = crossed
  if (least === oneStandardError) return [mark(least, 'least error')]
  return [mark(oneStandardError, 'one SE'), mark(least, 'least error')]
}

/** Coefficients of the chosen model that are not zero. */
export const keptOf = ({ fit }: FitReport): number => fit.path.df[fit.chosen]!
