/** From a table to a linear model: columns encoded, a path fitted, a strength chosen, a graph that takes raw columns. */

import type { Table } from '../data/columns.js'
import type { Model } from '../ir/types.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { type Choice, type ChoiceOptions, choose, rowJudge } from './choose.js'
import { checkDesign } from './design.js'
import type { FoldOptions } from './folds.js'
import type { GaussianModel } from './gaussian-model.js'
import { deviationsOf } from './moments.js'
import type { LinearModel } from './path.js'
import { checkSelection } from './select.js'
import { designOf, type TableOptions, termsFor } from './table-design.js'
import { numbersToPredict } from './target.js'
import { linearGraph } from './to-onnx.js'

export interface FitOptions
  extends Omit<ChoiceOptions, keyof TableOptions | 'groupFactors' | 'lowerBounds' | 'upperBounds'>,
    TableOptions,
    FoldOptions,
    Omit<RunOptions, 'seed'> {}

export interface LinearFit extends Choice {
  readonly target: string
  readonly kind: GaussianModel
  readonly rows: number
  readonly names: readonly string[]
  /** The group of each column of X; null where they come and go one by one. */
  readonly groups: readonly string[] | null
  /** Standard deviation of each column of X: coefficients times these can be compared. */
  readonly deviations: Float64Array
  /** The column of weights. */
  readonly weights: string | null
  /** Rows, from 0, that `actual` and `fitted` are of: those with a weight above 0; null where they are of all. */
  readonly sampled: Uint32Array | null
  /** Whether there were more, of which these were drawn. */
  readonly isDrawn: boolean
  readonly actual: Float64Array
  readonly fitted: Float64Array
  readonly model: Model
}

/**
 * Throws `TABLE_…`, `DESIGN_…`, `PATH_OPTION`, `PENALTY_SHAPE`, `FOLDS`, `CRITERIA_NOISE`, `OPTION_SELECT`, `SELECT_ALONE`, and
 * `FAMILY` with an offset.
 */
export async function fitTable(table: Table, options: FitOptions): Promise<LinearFit> {
  checkGaussian(options)
  const {
    select = 'cv',
    model: kind = 'elastic-net',
    weights,
    columnGroups: _,
    penaltyFactors: __,
    ...shared
  } = options
  checkSelection(select, isRidge(options))
  const design = designOf(table, options)
  const { x, features, names, target } = design
  const y = numbersToPredict(table, target).values
  checkDesign(x, y, design.weights)
  const terms = termsFor(kind, design, options)
  const weighted = design.weights ? { weights: design.weights } : {}
  const given = { ...shared, ...terms, ...weighted, select, model: kind }
  const choice = await choose(
    options.l1Ratio === undefined ? given : { ...given, l1Ratio: options.l1Ratio },
    await rowJudge(x, y, given),
  )
  const sampled = weighingRows(design.weights)
  const shown = sampled ?? Uint32Array.from(y.keys())
  return {
    ...choice,
    target: target.name,
    kind,
    rows: table.rows,
    names,
    groups: 'columnGroups' in terms ? terms.columnGroups : null,
    deviations: deviationsOf(x, design.weights),
    weights: weights ?? null,
    sampled,
    isDrawn: false,
    actual: Float64Array.from(shown, (i) => y[i]!),
    fitted: Float64Array.from(shown, (i) => predictRow(choice.linear, x.data, i * x.columns)),
    model: linearGraph(features, choice.linear),
  }
}

/** Of coefficients of either sign. */
function isRidge({ model = 'elastic-net', l1Ratio = 1, isPositive = false }: FitOptions): boolean {
  const ratios = typeof l1Ratio === 'number' ? [l1Ratio] : l1Ratio
  return model === 'elastic-net' && !isPositive && ratios.every((ratio) => ratio === 0)
}

/** Throws `FAMILY`. */
export function checkGaussian({ offset }: Pick<TableOptions, 'offset'>): void {
  if (offset === undefined) return
  throw new PareError('FAMILY', 'the gaussian family takes no offset', {
    value: offset,
    remedy: 'Subtract it from what is predicted, which is the same, or choose another family.',
  })
}

/** Null where all do. */
export function weighingRows(weights: Float64Array | undefined): Uint32Array | null {
  if (weights === undefined || weights.every((w) => w > 0)) return null
  return Uint32Array.from(weights.keys()).filter((i) => weights[i]! > 0)
}

export function predictRow({ coefficients, intercept }: LinearModel, data: ArrayLike<number>, from: number): number {
  let sum = intercept
  for (let j = 0; j < coefficients.length; j++) sum += coefficients[j]! * data[from + j]!
  return sum
}
