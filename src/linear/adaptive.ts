/**
 * The adaptive lasso (Zou 2006): weights 1/|β|^γ of a first model, so that what it found large is hardly held and what it
 * found to be nothing is left out. With a first model that finds the true coefficients, so does this.
 */

import { PareError } from '../util/errors.js'
import { crossValidateAtOnce } from './cross-moments.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type FoldMoments, foldMomentsOf } from './fold-moments.js'
import type { FoldOptions } from './folds.js'
import { type LinearPath, type PathOptions, pathFrom, pathOf } from './path.js'
import { standardized } from './standard.js'
import { checkTerms, meanFactor, wrongOption } from './terms.js'

export interface FirstModel {
  /** What finds the first model, its strength the best of 20 by cross-validation. Default `ridge`. */
  readonly first?: 'ridge' | 'lasso'
}

/** Strengths of the first model: its weights change little from one to the next. */
export const FIRST_LAMBDAS = 20

/** The folds are those that choose the first model. */
export interface AdaptiveOptions extends PathOptions, FoldOptions, FirstModel {
  /** γ. Default 1. */
  readonly gamma?: number
}

/** λ multiplies the penalty factors as they are: they are not brought to a mean of 1. */
export interface AdaptivePath extends LinearPath {
  /** Of the columns, times those given; Infinity leaves a column out. */
  readonly penaltyFactors: Float64Array
}

/** Throws `DESIGN_…`, `PATH_OPTION`, `FOLDS`. */
export async function adaptivePath(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: AdaptiveOptions = {},
): Promise<AdaptivePath> {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  checkAdaptive(options)
  const folds = await foldMomentsOf(x, y, options)
  return adaptivePathFrom(folds, x, y, options)
}

/** Throws `PATH_OPTION`. */
export function checkAdaptive({ gamma = 1 }: Pick<AdaptiveOptions, 'gamma'>): void {
  if (!(gamma > 0 && Number.isFinite(gamma))) throw wrongOption('gamma', gamma, 'a finite number above 0')
}

type PartOptions = Omit<AdaptiveOptions, keyof FoldOptions>

/** The folds choose the first model; those of a fold's training part are the other folds. */
export function adaptivePathOf(part: FoldMoments, options: PartOptions): AdaptivePath {
  const { given, penaltyFactors, mean } = weighted(part, options)
  return { ...onScaleOf(pathOf(part.all, given), mean), penaltyFactors }
}

/** The same, corrected by the rows. */
export async function adaptivePathFrom(
  part: FoldMoments,
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: PartOptions,
): Promise<AdaptivePath> {
  const { given, penaltyFactors, mean } = weighted(part, options)
  return { ...onScaleOf(await pathFrom(part.all, x, y, given), mean), penaltyFactors }
}

/** The lasso that it comes to, with factors of a mean of 1 and λ in their units. */
function weighted(part: FoldMoments, options: PartOptions) {
  const { first = 'ridge', lambdas, ...shared } = options
  if (part.tests.length < 2) throw noChoice(part.tests.length)
  const firstPath = { ...shared, nLambdas: FIRST_LAMBDAS, l1Ratio: first === 'ridge' ? 0 : 1 }
  const { path, least } = crossValidateAtOnce(
    (p, at) => pathOf(p.all, { ...firstPath, ...(at && { lambdas: at }) }),
    part,
  )
  const { hasIntercept = true, isStandardized = true } = options
  const { scales } = standardized(part.all, { hasIntercept, isStandardized })
  const sizes = path.models[least]!.coefficients.map((b, j) => Math.abs(b * scales[j]!))
  const penaltyFactors = adaptiveFactors(sizes, options)
  const mean = meanFactor(penaltyFactors)
  const scaled = lambdas
    ? { lambdas: Float64Array.from(lambdas, (v) => v * mean) }
    : { lambdaMinRatio: options.lambdaMinRatio ?? adaptiveMinRatio(penaltyFactors, part.all.count) }
  return { given: { ...options, penaltyFactors, ...scaled }, penaltyFactors, mean }
}

/** The first of ordered folds have none before them. */
const noChoice = (folds: number): PareError =>
  new PareError('FOLDS', 'the first model of an adaptive lasso is chosen by other folds, and there are too few', {
    value: folds,
    remedy: 'Take folds that are not ordered, or more of them.',
  })

/** Of what the first model found on the scale of the fit, times the factors that are given. */
export function adaptiveFactors(
  sizes: Float64Array,
  { gamma = 1, penaltyFactors }: Pick<AdaptiveOptions, 'gamma' | 'penaltyFactors'>,
): Float64Array {
  return sizes.map((size, j) => {
    const given = penaltyFactors?.[j] ?? 1
    return given === 0 ? 0 : given / size ** gamma
  })
}

/**
 * What the first strength is to the column with the least weight, the last is to one with the median: most weights are
 * many times the least, and their columns come in that much later.
 */
export function adaptiveMinRatio(penaltyFactors: Float64Array, count: number): number {
  const sorted = penaltyFactors.filter((v) => v > 0 && Number.isFinite(v)).sort()
  const median = sorted[Math.floor(sorted.length / 2)] ?? 1
  return Math.max(1e-12, ((sorted[0] ?? 1) / median) * (count > penaltyFactors.length ? 1e-4 : 1e-2))
}

/** A path was solved with factors that were divided by `mean`; λ as it multiplies the factors themselves. */
export function onScaleOf<
  M extends { readonly lambda: number },
  P extends { lambdas: Float64Array; models: readonly M[] },
>(path: P, mean: number): P {
  return {
    ...path,
    lambdas: path.lambdas.map((v) => v / mean),
    models: path.models.map((m) => ({ ...m, lambda: m.lambda / mean })),
  }
}
