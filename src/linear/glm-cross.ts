/** Cross-validation of generalized linear models: deviance, or the share of wrong classes, of the rows left out. */

import type { RunOptions } from '../util/env.js'
import { nextTurn } from '../util/turns.js'
import { type CrossValidationSummary, summaryOf } from './cv-summary.js'
import type { Response } from './datafits/index.js'
import type { DenseMatrix } from './design.js'
import { type FoldOptions, foldsOf, wrongFolds } from './folds.js'
import { type GlmModel, type GlmOptions, type GlmPart, type GlmPath, predictorsOf } from './glm-path.js'

/** `misclassification` is of classes alone. */
export type Measure = 'deviance' | 'misclassification'

export interface GlmCrossOptions extends GlmOptions, FoldOptions, Pick<RunOptions, 'onProgress'> {
  /** What chooses. Default `deviance`. */
  readonly measure?: Measure
}

export interface GlmCrossValidation extends CrossValidationSummary {
  /** Of all rows. */
  readonly path: GlmPath
  readonly measure: Measure
  /** Both where there are classes, whichever chooses. */
  readonly deviance: CrossValidationSummary
  readonly misclassification: CrossValidationSummary | null
}

/** A path of some rows; the strengths are those of the options where they are given. */
export type GlmPathOfPart<O extends GlmOptions> = (
  x: DenseMatrix,
  response: Response,
  options: O,
  part?: GlmPart,
) => Promise<GlmPath>

/**
 * Whatever `pathOf` chooses by data, it chooses for each fold by the rows of the others; folds whose rows all weigh
 * nothing are none. Throws `FOLDS`, and what `pathOf` throws.
 */
export async function glmCrossValidateBy<O extends GlmCrossOptions>(
  pathOf: GlmPathOfPart<O>,
  x: DenseMatrix,
  response: Response,
  options: O,
): Promise<GlmCrossValidation> {
  const { measure = 'deviance', weights, onProgress } = options
  const isClasses = response.classes !== null
  const isFree = isClasses && !options.groups && !options.strata && !options.foldIds && !options.isOrdered
  const sizeOf = (rows: Uint32Array): number => rows.reduce((sum, i) => sum + (weights?.[i] ?? 1), 0)
  const folds = foldsOf(x.rows, isFree ? { ...options, strata: response.y } : options)
    .map((fold, k) => ({ ...fold, k, size: sizeOf(fold.test) }))
    .filter(({ size }) => size > 0)
  if (folds.length < 2) throw wrongFolds(`${folds.length} with rows that have a weight`)
  const path = await pathOf(x, response, options)
  const results: (readonly Errors[])[] = []
  for (const [done, { train, test, k }] of folds.entries()) {
    await nextTurn()
    if (sizeOf(train) === 0) throw wrongFolds(`no rows that have a weight outside of fold ${k + 1}`)
    const where = `y, outside of fold ${k + 1}`
    const { models } = await pathOf(x, response, { ...options, lambdas: path.lambdas }, { rows: train, where })
    onProgress?.({ task: 'cross-validation', done: done + 1, total: folds.length })
    results.push(models.map((model) => errorsOf(x, response, model, test, options)))
  }
  const of = (part: (errors: Errors) => number): CrossValidationSummary =>
    summaryOf(
      results.map((byLambda) => byLambda.map(part)),
      folds.map(({ size }) => size),
    )
  const deviance = of((e) => e.deviance)
  const misclassification = isClasses ? of((e) => e.wrong) : null
  return { path, measure, deviance, misclassification, ...(measure === 'deviance' ? deviance : misclassification!) }
}

interface Errors {
  readonly deviance: number
  readonly wrong: number
}

/** Weighted means over some rows. */
function errorsOf(
  x: DenseMatrix,
  { datafit, y }: Response,
  model: GlmModel,
  rows: Uint32Array,
  { weights, offset }: GlmOptions,
): Errors {
  const { outputs } = datafit
  const mean = new Float64Array(outputs)
  let [deviance, wrong, total] = [0, 0, 0]
  for (const i of rows) {
    const w = weights?.[i] ?? 1
    if (w === 0) continue
    const eta = predictorsOf(x, i, model)
    if (offset) for (let k = 0; k < outputs; k++) eta[k]! += offset[i * outputs + k]!
    deviance += w * 2 * (datafit.loss(y[i]!, eta, 0) - datafit.saturated(y[i]!))
    datafit.mean(eta, 0, mean)
    wrong += classOf(mean) === y[i]! ? 0 : w
    total += w
  }
  return total === 0 ? { deviance: 0, wrong: 0 } : { deviance: deviance / total, wrong: wrong / total }
}

/** The likeliest class, the first of several; one probability is that of the second of two. */
const classOf = (mean: Float64Array): number =>
  mean.length === 1 ? Number(mean[0]! > 0.5) : mean.indexOf(mean.reduce((a, b) => Math.max(a, b)))
