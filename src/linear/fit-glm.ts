/** From a table to a generalized linear model: columns encoded, a path fitted, a strength chosen, a graph. */

import type { Table, TableColumn } from '../data/columns.js'
import type { ColumnKind } from '../data/describe.js'
import type { Model } from '../ir/types.js'
import type { RunOptions } from '../util/env.js'
import { glmCriteria, type InformationCriteria } from './criteria.js'
import { type Family, type FamilyOptions, responseOf } from './datafits/index.js'
import type { DenseMatrix } from './design.js'
import { type EncodeOptions, encode } from './encode.js'
import type { FoldOptions } from './folds.js'
import { type GlmCrossValidation, glmCrossValidate, type Measure } from './glm-cross-validate.js'
import { type GlmModel, type GlmOptions, type GlmPath, glmPath, predictorsOf } from './glm-path.js'
import { deviationsOf } from './moments.js'
import { checkSelection, chosenBy, isCrossed, type Selection } from './select.js'
import { type Columns, cellsOf, targetColumn } from './target.js'
import { glmGraph } from './to-onnx.js'

export interface GlmFitOptions
  extends Omit<GlmOptions, 'family' | 'offset'>,
    FoldOptions,
    EncodeOptions,
    Omit<RunOptions, 'seed'> {
  readonly target: string
  /** Default: that of the target, see `familyOf`. */
  readonly family?: Family
  /** Default `cv`. */
  readonly select?: Selection
  /** What cross-validation counts. Default `deviance`. */
  readonly measure?: Measure
}

export interface GlmFit {
  readonly target: string
  readonly rows: number
  readonly names: readonly string[]
  /** Standard deviation of each column of X: coefficients times these can be compared. */
  readonly deviations: Float64Array
  readonly path: GlmPath
  /** Index into the path. */
  readonly chosen: number
  readonly glm: GlmModel
  readonly crossValidation: GlmCrossValidation | null
  readonly criteria: Omit<InformationCriteria, 'noise'> | null
  /** Of numbers and counts, by row: what is, and what is expected. */
  readonly means: { readonly actual: Float64Array; readonly fitted: Float64Array } | null
  readonly model: Model
}

/** Numbers are `gaussian`, text of two levels `binomial`, of more `multinomial`. Throws `TABLE_COLUMN`, `TABLE_MISSING`. */
export function familyOf(table: Columns<TableColumn | ColumnKind>, target: string): Family {
  const column = targetColumn(table, target)
  if (column.kind === 'number') return 'gaussian'
  return column.levels.length > 2 ? 'multinomial' : 'binomial'
}

/** Throws `TABLE_COLUMN`, `TABLE_MISSING`, `DESIGN_…`, `PATH_OPTION`, `FOLDS`, `RESPONSE`, `MEASURE`, `OPTION_SELECT`. */
export async function fitGlm(table: Table, given: GlmFitOptions): Promise<GlmFit> {
  const { select = 'cv', family = familyOf(table, given.target) } = given
  checkSelection(select, false)
  const options = { ...given, family }
  const target = targetColumn(table, given.target)
  const { x, features, names } = encode(
    table.columns.filter((c) => c !== target),
    table.rows,
    options,
  )
  const y = cellsOf(target)
  const crossValidation = isCrossed(select) ? await glmCrossValidate(x, y, options) : null
  const path = crossValidation?.path ?? (await glmPath(x, y, options))
  const criteria = crossValidation ? null : glmCriteria(path, { count: table.rows })
  const chosen = chosenBy(select, crossValidation, criteria)
  const glm = path.models[chosen]!
  for (const warning of path.warnings) options.onWarning?.(warning)
  return {
    target: target.name,
    rows: table.rows,
    names,
    deviations: deviationsOf(x, options.weights),
    path,
    chosen,
    glm,
    crossValidation,
    criteria,
    means: meansOf(x, y, glm, options),
    model: glmGraph(features, glm, path),
  }
}

function meansOf(x: DenseMatrix, cells: readonly (number | string)[], glm: GlmModel, options: FamilyOptions) {
  const { datafit, y, classes } = responseOf(cells, options)
  if (classes !== null) return null
  const fitted = new Float64Array(x.rows)
  for (let i = 0; i < x.rows; i++) datafit.mean(predictorsOf(x, i, glm), 0, fitted.subarray(i, i + 1))
  return { actual: y, fitted }
}
