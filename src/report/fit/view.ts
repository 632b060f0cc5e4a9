/** What the parts of the report of a fit show, worked out once. */

import type { LinearFit } from '../../linear/fit.js'
import type { GlmFit } from '../../linear/fit-glm.js'
import type { Selection } from '../../linear/select.js'
import { shorten } from '../../util/format.js'
import type { Mark } from '../svg/marks.js'
import { type Shown, shownOf } from './shown.js'

export interface FitReport {
  /** The table, as the user named it. */
  readonly table: string
  /** What was fitted, in words: `lasso`. */
  readonly model: string
  readonly select: Selection
  readonly fit: LinearFit | GlmFit
  readonly commandLine: string
}

export interface FitView extends Omit<FitReport, 'fit'> {
  readonly fit: Shown
  /** Of the column that is predicted, short enough for titles. */
  readonly target: string
  /** By λ, as it stands on the axis: 0 has no place there, and stands at the right end. */
  readonly strengths: readonly number[]
  /** A coefficient times the standard deviation of its column: what one such step of the column changes. */
  standardized(lambda: number, at: number): number
  /** Coefficients from the largest standardized coefficient of the chosen model down, then of the last one of the path. */
  readonly order: readonly number[]
  /** Choices of λ that are worth a line. */
  readonly marks: readonly Mark[]
}

export function viewOf(report: FitReport): FitView {
  const fit = shownOf(report.fit)
  const standardized = (lambda: number, column: number): number =>
    fit.coefficients[lambda]![column]! * fit.deviations[column]!
  const strengths = strengthsOf(fit.lambdas)
  const last = strengths.length - 1
  const size = (lambda: number, j: number): number => Math.abs(standardized(lambda, j))
  const order = [...fit.names.keys()].sort(
    (a, b) => size(fit.chosen, b) - size(fit.chosen, a) || size(last, b) - size(last, a),
  )
  return {
    ...report,
    fit,
    target: shorten(fit.target, 48),
    strengths,
    standardized,
    order,
    marks: marksOf(fit, report.select, strengths),
  }
}

function strengthsOf(lambdas: Float64Array): readonly number[] {
  const least = lambdas.findLast((v) => v > 0) ?? 1
  return Array.from(lambdas, (v) => (v > 0 ? v : least / 2))
}

function marksOf(fit: Shown, select: Selection, strengths: readonly number[]): readonly Mark[] {
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
