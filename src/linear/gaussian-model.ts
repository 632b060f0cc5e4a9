/** The models of a Gaussian response by name, each as a path that is made from moments. */

import { kernelPool } from '../kernels/gram-kernel.js'
import { adaptivePathFrom, adaptivePathOf, checkAdaptive, type FirstModel } from './adaptive.js'
import type { PathByRecipe, PathOfPart } from './cross-moments.js'
import type { DenseMatrix } from './design.js'
import type { FoldMoments } from './fold-moments.js'
import { checkGroups, type Grouping, groupPathOf } from './group-path.js'
import { checkNonconvex, type NonconvexPenalty, nonconvexPathOf } from './nonconvex.js'
import { type LinearPath, type PathOptions, pathFrom, pathOf } from './path.js'
import { checkTerms, wrongOption } from './terms.js'

/** `elastic-net` is the lasso with an `l1Ratio` of 1, which is the default, and the ridge with 0. */
export type GaussianModel = 'elastic-net' | 'adaptive-lasso' | NonconvexPenalty | 'group-lasso'

export interface ModelOptions extends PathOptions, FirstModel, Partial<Grouping> {
  /** Default `elastic-net`. */
  readonly model?: GaussianModel
  /** Shape of MCP and SCAD, power of the weights of the adaptive lasso. */
  readonly gamma?: number
}

/** What a path from moments is made of: plain data. */
export interface ModelRecipe {
  readonly options: Omit<ModelOptions, NotSent>
  readonly columns: number
}

/** What has done its work once there are moments, or cannot be copied. */
type NotSent = 'engine' | 'signal' | 'weights'

const SENT: Readonly<Record<Exclude<keyof ModelOptions, NotSent>, true>> = {
  model: true,
  gamma: true,
  first: true,
  columnGroups: true,
  groupFactors: true,
  l1Ratio: true,
  lambdas: true,
  nLambdas: true,
  lambdaMinRatio: true,
  penaltyFactors: true,
  lowerBounds: true,
  upperBounds: true,
  hasIntercept: true,
  isStandardized: true,
  tolerance: true,
  maxPasses: true,
}

/** Throws `PATH_OPTION` and `PENALTY_SHAPE` at once, `FOLDS` where folds are too few to choose a first model. */
export function pathOfModel(options: ModelOptions, columns: number): PathByRecipe {
  const sent = Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(SENT, name)))
  return Object.assign(pathFor(options, columns), { recipe: { options: sent, columns } })
}

export const pathOfRecipe = ({ options, columns }: ModelRecipe): PathOfPart => pathFor(options, columns)

function pathFor({ model = 'elastic-net', ...options }: ModelOptions, columns: number): PathOfPart {
  checkTerms(options, columns)
  const at = (lambdas: ArrayLike<number> | undefined) => ({ ...options, ...(lambdas && { lambdas }) })
  if (model === 'adaptive-lasso') {
    checkAdaptive(options)
    return (part, lambdas) => adaptivePathOf(part, at(lambdas))
  }
  if (model === 'group-lasso') {
    const { columnGroups } = options
    if (columnGroups === undefined) throw wrongOption('columnGroups', undefined, 'given')
    const grouped = { ...options, columnGroups }
    checkGroups(grouped, columns)
    return ({ all }, lambdas) => groupPathOf(all, { ...grouped, ...at(lambdas), columnGroups })
  }
  if (model === 'elastic-net') {
    const kernels = kernelPool()
    return ({ all }, lambdas) => pathOf(all, at(lambdas), { kernels })
  }
  checkNonconvex({ ...options, penalty: model })
  return ({ all }, lambdas) => nonconvexPathOf(all, { ...at(lambdas), penalty: model })
}

/** The path of all rows, corrected by them where their moments are too coarse. */
export async function pathOfRows(
  pathOf: PathOfPart,
  part: FoldMoments,
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: ModelOptions,
): Promise<LinearPath> {
  const { model = 'elastic-net' } = options
  if (model === 'adaptive-lasso') return adaptivePathFrom(part, x, y, options)
  return model === 'elastic-net' ? pathFrom(part.all, x, y, options) : pathOf(part)
}
