/** From a table to a linear model: columns encoded, a path fitted, a strength chosen, a graph that takes raw columns. */

import type { Table } from '../data/columns.js'
import type { Model } from '../ir/types.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { type InformationCriteria, informationCriteria } from './criteria.js'
import { type CrossValidation, crossValidateBy } from './cross-moments.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { foldMomentsOf, wholeOf } from './fold-moments.js'
import type { FoldOptions } from './folds.js'
import { freedomOf } from './freedom.js'
import { gatherMoments } from './gather-moments.js'
import { type GaussianModel, type ModelOptions, pathOfModel, pathOfRows } from './gaussian-model.js'
import { deviationsOf, type Moments } from './moments.js'
import type { LinearModel, LinearPath } from './path.js'
import { precisionFor } from './precision.js'
import { bestRatio, chosenBy, isCrossed, type Judged, type RatioScore, type Selection } from './select.js'
import { designOf, type TableOptions, termsByColumn, termsByGroup } from './table-design.js'
import { numbersToPredict } from './target.js'
import { linearGraph } from './to-onnx.js'

export interface FitOptions
  extends Omit<ModelOptions, keyof TableOptions | 'groupFactors' | 'lowerBounds' | 'upperBounds' | 'l1Ratio'>,
    TableOptions,
    FoldOptions,
    Omit<RunOptions, 'seed'> {
  /** Default `cv`. */
  readonly select?: Selection
  /** ρ; of several, each over the same folds, the best is taken. Default 1. */
  readonly l1Ratio?: number | readonly number[]
}

export interface LinearFit {
  readonly target: string
  readonly kind: GaussianModel
  readonly rows: number
  readonly names: readonly string[]
  /** The group of each column of X; null where they come and go one by one. */
  readonly groups: readonly string[] | null
  /** Standard deviation of each column of X: coefficients times these can be compared. */
  readonly deviations: Float64Array
  readonly path: LinearPath
  /** Index into the path. */
  readonly chosen: number
  readonly linear: LinearModel
  /** That of the path, and all that were tried. */
  readonly l1Ratio: number
  readonly ratios: readonly RatioScore[]
  readonly crossValidation: CrossValidation | null
  readonly criteria: InformationCriteria | null
  /** By row. */
  readonly actual: Float64Array
  readonly fitted: Float64Array
  /** Mean square of what is predicted, about its mean where there is an intercept. */
  readonly variance: number
  /** The column of weights, and what it holds. */
  readonly weights: string | null
  readonly rowWeights: Float64Array | null
  readonly model: Model
}

/** Throws `TABLE_…`, `DESIGN_…`, `PATH_OPTION`, `PENALTY_SHAPE`, `FOLDS`, `CRITERIA_NOISE`, and `FAMILY` with an offset. */
export async function fitTable(table: Table, options: FitOptions): Promise<LinearFit> {
  if (options.offset !== undefined) {
    throw new PareError('FAMILY', 'the gaussian family takes no offset', {
      value: options.offset,
      remedy: 'Subtract it from what is predicted, which is the same, or choose another family.',
    })
  }
  const {
    select = 'cv',
    model: kind = 'elastic-net',
    weights,
    columnGroups: _,
    penaltyFactors: __,
    ...shared
  } = options
  const design = designOf(table, options)
  const { x, features, names, target } = design
  const y = numbersToPredict(table, target)
  const weighted = design.weights ? { weights: design.weights } : {}
  checkDesign(x, y, design.weights)
  const terms = kind === 'group-lasso' ? termsByGroup(design, options) : termsByColumn(design, options)
  const { judge, variance } = await judgeOf(x, y, select, { ...shared, ...terms, ...weighted, model: kind })
  const { best, ratios } = await bestRatio(select, options, judge)
  const chosen = chosenBy(select, best.crossValidation, best.criteria)
  const linear = best.path.models[chosen]!
  return {
    ...best,
    ratios,
    chosen,
    linear,
    target: target.name,
    kind,
    rows: table.rows,
    names,
    groups: 'columnGroups' in terms ? terms.columnGroups : null,
    deviations: deviationsOf(x, design.weights),
    actual: y,
    fitted: Float64Array.from({ length: x.rows }, (_, i) => predictRow(linear, x.data, i * x.columns)),
    variance,
    weights: weights ?? null,
    rowWeights: design.weights ?? null,
    model: linearGraph(features, linear),
  }
}

interface JudgedPath extends Judged {
  readonly path: LinearPath
  readonly crossValidation: CrossValidation | null
  readonly criteria: InformationCriteria | null
}

/** The path of a ratio and what it is judged by, from moments that are gathered once. */
async function judgeOf(
  x: DenseMatrix,
  y: Float64Array,
  select: Selection,
  options: Omit<ModelOptions, 'l1Ratio'> & FoldOptions,
) {
  const { hasIntercept = true } = options
  const needsFolds = isCrossed(select) || options.model === 'adaptive-lasso'
  const whole = async () => wholeOf(await gatherMoments(x, y, { ...options, precision: precisionFor(options) }))
  const folds = needsFolds ? await foldMomentsOf(x, y, options) : await whole()
  const { count } = folds.all
  const variance = varianceOf(folds.all, hasIntercept)
  // Criteria can be compared where the noise is the same: that of the first ratio.
  let noise: number | undefined
  const judge = async (l1Ratio: number, progress: Pick<RunOptions, 'onProgress'>): Promise<JudgedPath> => {
    const given = { ...options, l1Ratio }
    const pathOf = pathOfModel(given, x.columns)
    const path = await pathOfRows(pathOf, folds, x, y, given)
    if (isCrossed(select)) {
      const crossValidation = crossValidateBy(pathOf, folds, { ...progress, path })
      return { l1Ratio, path, crossValidation, criteria: null }
    }
    const freedom = freedomOf(folds.all, path, given)
    const known = noise === undefined ? {} : { noise }
    const criteria = informationCriteria(path, { count, variance, freedom, hasIntercept, ...known })
    noise = criteria.noise
    return { l1Ratio, path, crossValidation: null, criteria }
  }
  return { judge, variance }
}

function predictRow({ coefficients, intercept }: LinearModel, data: ArrayLike<number>, from: number): number {
  let sum = intercept
  for (let j = 0; j < coefficients.length; j++) sum += coefficients[j]! * data[from + j]!
  return sum
}

/** About the mean, or about 0 without an intercept. */
function varianceOf({ means, scatter, weight }: Moments, hasIntercept: boolean): number {
  const p = means.length - 1
  return scatter[p * (p + 1) + p]! / weight + (hasIntercept ? 0 : means[p]! ** 2)
}
