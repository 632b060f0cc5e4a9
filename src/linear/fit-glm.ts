/** From a table to a generalized linear model: columns encoded, a path fitted, a strength chosen, a graph. */

import type { Table, TableColumn } from '../data/columns.js'
import type { ColumnKind } from '../data/describe.js'
import type { Model } from '../ir/types.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { glmCriteria, type InformationCriteria } from './criteria.js'
import type { Family, Response } from './datafits/index.js'
import type { DenseMatrix } from './design.js'
import { weighingRows } from './fit.js'
import type { GaussianModel } from './gaussian-model.js'
import type { GlmCrossValidation } from './glm-cross.js'
import { glmCrossValidate } from './glm-cross-validate.js'
import { type GlmModelName, type GlmModelOptions, glmPathOfModel } from './glm-model.js'
import { checkedResponse, type GlmModel, type GlmPath, predictorsOf } from './glm-path.js'
import { deviationsOf } from './moments.js'
import { bestRatio, checkSelection, chosenBy, isCrossed, type RatioScore, type Selection } from './select.js'
import { designOf, type TableDesign, type TableOptions, termsByColumn } from './table-design.js'
import { type Columns, cellsOf, targetColumn } from './target.js'
import { glmGraph } from './to-onnx.js'

export interface GlmFitOptions
  extends Omit<GlmModelOptions, keyof TableOptions | 'family' | 'model' | 'lowerBounds' | 'upperBounds' | 'l1Ratio'>,
    TableOptions,
    Omit<RunOptions, 'seed'> {
  /** Default: that of the target, see `familyOf`. */
  readonly family?: Family
  /** Default `elastic-net`; those of a Gaussian response alone are an error. */
  readonly model?: GaussianModel
  /** Default `cv`. */
  readonly select?: Selection
  /** ρ; of several, each over the same folds, the best is taken. Default 1. */
  readonly l1Ratio?: number | readonly number[]
}

export interface GlmFit {
  readonly target: string
  readonly kind: GlmModelName
  readonly rows: number
  readonly names: readonly string[]
  /** Standard deviation of each column of X: coefficients times these can be compared. */
  readonly deviations: Float64Array
  readonly path: GlmPath
  /** Index into the path. */
  readonly chosen: number
  readonly glm: GlmModel
  /** That of the path, and all that were tried. */
  readonly l1Ratio: number
  readonly ratios: readonly RatioScore[]
  readonly crossValidation: GlmCrossValidation | null
  readonly criteria: Omit<InformationCriteria, 'noise'> | null
  /** Of numbers and counts: what is, and what is expected, of all rows or those (from 0) with a weight above 0. */
  readonly means: {
    readonly sampled: Uint32Array | null
    readonly actual: Float64Array
    readonly fitted: Float64Array
  } | null
  /** The columns of weights and of offsets. */
  readonly weights: string | null
  readonly offset: string | null
  readonly model: Model
}

/** Numbers are `gaussian`, text of two levels `binomial`, of more `multinomial`. Throws `TABLE_COLUMN`, `TABLE_MISSING`. */
export function familyOf(table: Columns<TableColumn | ColumnKind>, target: string): Family {
  const column = targetColumn(table, target)
  if (column.kind === 'number') return 'gaussian'
  return column.levels.length > 2 ? 'multinomial' : 'binomial'
}

/** Throws `TABLE_…`, `DESIGN_…`, `PATH_OPTION`, `FOLDS`, `RESPONSE`, `MEASURE`, `FAMILY`, `OPTION_SELECT`. */
export async function fitGlm(table: Table, given: GlmFitOptions): Promise<GlmFit> {
  const { select = 'cv', family = familyOf(table, given.target) } = given
  checkSelection(select, false)
  const kind = modelFor(family, given)
  const design = designOf(table, given)
  const { x, features, names, target, weights, offset } = design
  const { weights: _, offset: __, penaltyFactors: ___, l1Ratio: ____, ...shared } = given
  const options: GlmModelOptions = {
    ...shared,
    family,
    model: kind,
    ...termsByColumn(design, given),
    ...(weights && { weights }),
    ...(offset && { offset }),
  }
  const y = cellsOf(target)
  const response = checkedResponse(x, y, options)
  const count = weights === undefined ? table.rows : weights.reduce((n, w) => n + Number(w > 0), 0)
  const { best, ratios } = await bestRatio(select, given, async (l1Ratio, progress) => {
    const at = { ...options, ...progress, l1Ratio }
    const crossValidation = isCrossed(select) ? await glmCrossValidate(x, y, at) : null
    const path = crossValidation?.path ?? (await glmPathOfModel(at)(x, response, at))
    return { l1Ratio, path, crossValidation, criteria: crossValidation ? null : glmCriteria(path, { count }) }
  })
  const { path } = best
  const chosen = chosenBy(select, best.crossValidation, best.criteria)
  const glm = path.models[chosen]!
  for (const warning of path.warnings) given.onWarning?.(warning)
  return {
    ...best,
    ratios,
    chosen,
    glm,
    target: target.name,
    kind,
    rows: table.rows,
    names,
    deviations: deviationsOf(x, weights),
    means: meansOf(x, response, glm, design),
    weights: given.weights ?? null,
    offset: given.offset ?? null,
    model: glmGraph(features, glm, path, given.offset),
  }
}

/** Throws `FAMILY` for what there is of other families alone. */
function modelFor(family: Family, { model = 'elastic-net', offset }: GlmFitOptions): GlmModelName {
  if (model !== 'elastic-net' && model !== 'adaptive-lasso') {
    throw new PareError('FAMILY', `there is no ${model} of the family ${family}, of gaussian alone`, {
      value: model,
      remedy: 'Choose lasso, ridge, elastic-net or adaptive-lasso, which there are of every family.',
    })
  }
  if (family === 'multinomial' && offset !== undefined) {
    throw new PareError('FAMILY', 'one offset for all classes changes none of their probabilities', {
      value: offset,
      remedy: 'Leave the offset out, or choose the family binomial or poisson.',
    })
  }
  return model
}

function meansOf(
  x: DenseMatrix,
  { datafit, y, classes }: Response,
  glm: GlmModel,
  { weights, offset }: Pick<TableDesign, 'weights' | 'offset'>,
): GlmFit['means'] {
  if (classes !== null) return null
  const sampled = weighingRows(weights)
  const rows = sampled ?? Uint32Array.from(y.keys())
  const fitted = new Float64Array(rows.length)
  for (const [k, i] of rows.entries()) {
    const eta = predictorsOf(x, i, glm).map((v) => v + (offset?.[i] ?? 0))
    datafit.mean(eta, 0, fitted.subarray(k, k + 1))
  }
  return { sampled, actual: Float64Array.from(rows, (i) => y[i]!), fitted }
}
