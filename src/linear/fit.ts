/** From a table to a linear model: columns encoded, a path fitted, a strength chosen, a graph that takes raw columns. */

import type { Table } from '../data/columns.js'
import type { Model } from '../ir/types.js'
import type { RunOptions } from '../util/env.js'
import { type InformationCriteria, informationCriteria } from './criteria.js'
import type { CrossValidation } from './cross-moments.js'
import { crossValidate } from './cross-validate.js'
import { type EncodeOptions, encode } from './encode.js'
import type { FoldOptions } from './folds.js'
import { deviationsOf } from './moments.js'
import { type LinearModel, type LinearPath, type PathOptions, path } from './path.js'
import { chosenBy, isCrossed, type Selection } from './select.js'
import { numberTarget } from './target.js'
import { linearGraph } from './to-onnx.js'

export interface FitOptions extends PathOptions, FoldOptions, EncodeOptions, Omit<RunOptions, 'seed'> {
  /** The column that is predicted. */
  readonly target: string
  /** Default `cv`. */
  readonly select?: Selection
}

export interface LinearFit {
  readonly target: string
  readonly rows: number
  readonly names: readonly string[]
  /** Standard deviation of each column of X: coefficients times these can be compared. */
  readonly deviations: Float64Array
  readonly path: LinearPath
  /** Index into the path. */
  readonly chosen: number
  readonly linear: LinearModel
  readonly crossValidation: CrossValidation | null
  readonly criteria: InformationCriteria | null
  /** By row. */
  readonly actual: Float64Array
  readonly fitted: Float64Array
  readonly model: Model
}

/** Throws `TABLE_COLUMN`, `TABLE_TARGET`, `TABLE_MISSING`, `DESIGN_…`, `PATH_OPTION`, `FOLDS`, `CRITERIA_NOISE`. */
export function fitTable(table: Table, options: FitOptions): LinearFit {
  const { select = 'cv' } = options
  const target = numberTarget(table, options.target)
  const { x, features, names } = encode(
    table.columns.filter((c) => c !== target),
    table.rows,
    options,
  )
  const y = target.values
  const crossValidation = isCrossed(select) ? crossValidate(x, y, options) : null
  const found = crossValidation?.path ?? path(x, y, options)
  const criteria = isCrossed(select)
    ? null
    : informationCriteria(found, { count: table.rows, variance: varianceOf(y, options) })
  const chosen = chosenBy(select, crossValidation, criteria)
  const linear = found.models[chosen]!
  return {
    target: target.name,
    rows: table.rows,
    names,
    deviations: deviationsOf(x, options.weights),
    path: found,
    chosen,
    linear,
    crossValidation,
    criteria,
    actual: y,
    fitted: Float64Array.from({ length: x.rows }, (_, i) => predictRow(linear, x.data, i * x.columns)),
    model: linearGraph(features, linear),
  }
}

function predictRow({ coefficients, intercept }: LinearModel, data: ArrayLike<number>, from: number): number {
  let sum = intercept
  for (let j = 0; j < coefficients.length; j++) sum += coefficients[j]! * data[from + j]!
  return sum
}

/** About the mean, or about 0 without an intercept. */
function varianceOf(y: Float64Array, { hasIntercept = true }: PathOptions): number {
  const mean = hasIntercept ? y.reduce((sum, v) => sum + v, 0) / y.length : 0
  return y.reduce((sum, v) => sum + (v - mean) ** 2, 0) / y.length
}
