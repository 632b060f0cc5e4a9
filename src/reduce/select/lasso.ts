/** Columns in the order in which they enter the path of a lasso (Tibshirani 1996). */

import type { TableColumn } from '../../data/columns.js'
import type { Engine } from '../../engine/engine.js'
import { glmCriteria, informationCriteria } from '../../linear/criteria.js'
import type { DenseMatrix } from '../../linear/design.js'
import { encode } from '../../linear/encode.js'
import { glmPath } from '../../linear/glm-path.js'
import { deviationsOf } from '../../linear/moments.js'
import { path } from '../../linear/path.js'
import { cellsOf } from '../../linear/target.js'
import type { RunOptions } from '../../util/env.js'
import {
  columnsOf,
  type FeatureOptions,
  type Features,
  namesOf,
  type Ranking,
  rowsOf,
  type Target,
  type TargetOptions,
  targetOf,
} from './columns.js'

export interface LassoOptions extends FeatureOptions, TargetOptions, Pick<RunOptions, 'signal'> {
  /** Chooses a model of the path by this criterion. Default: none is chosen. */
  readonly criterion?: 'aic' | 'bic' | 'ebic'
  /** Strengths to try. Default 100. */
  readonly nLambdas?: number
  readonly engine?: Engine | undefined
}

export interface LassoRanking extends Ranking {
  /** By column: the strength at which it enters, as a part of the one that keeps all out; 0 where it never does. */
  readonly scores: Float64Array
  /** Columns of the model of least `criterion`; null without one. */
  readonly chosen: readonly number[] | null
}

/**
 * Columns are brought to one scale. Numbers are fitted by least squares, two classes by logistic regression, more by
 * multinomial. A category enters with the first of its levels; columns that enter at the same of the strengths that were
 * tried are ordered by the size of their coefficients there. Throws `DESIGN_…`, `SELECT_TARGET`, `PATH_OPTION`, `RESPONSE`,
 * and `CRITERIA_NOISE` where there are no more rows than columns for a criterion.
 */
export async function lasso(x: Features, y: Target, options: LassoOptions = {}): Promise<LassoRanking> {
  const columns = columnsOf(x, options)
  const rows = rowsOf(columns[0])
  const target = targetOf(y, rows, options)
  const { x: design } = encode(columns, { name: 'X', rows })
  const { sizes, lambdas, best } = await modelsOf(design, target, options)
  const spans = spansOf(columns)
  const sizeOf = (of: Float64Array, [from, to]: Span): number => of.subarray(from, to).reduce((a, b) => a + b, 0)
  // Index of the first model with the column.
  const entries = spans.map((span) => sizes.findIndex((model) => sizeOf(model, span) > 0))
  const scores = Float64Array.from(entries, (at) => (at < 0 ? 0 : lambdas[at]! / lambdas[0]!))
  const entrySize = (j: number): number => (entries[j]! < 0 ? 0 : sizeOf(sizes[entries[j]!]!, spans[j]!))
  const order = [...spans.keys()].sort((a, b) => scores[b]! - scores[a]! || entrySize(b) - entrySize(a) || a - b)
  const chosen = best === null ? null : order.filter((j) => sizeOf(sizes[best]!, spans[j]!) > 0)
  return { names: namesOf(columns), scores, order, chosen }
}

interface Models {
  /** By λ: Σ |β| over the vectors of the model, of columns of standard deviation 1. */
  readonly sizes: readonly Float64Array[]
  readonly lambdas: Float64Array
  /** Index of the model of least criterion. */
  readonly best: number | null
}

async function modelsOf(x: DenseMatrix, target: TableColumn, options: LassoOptions): Promise<Models> {
  const { criterion, signal, engine, nLambdas } = options
  const shared = { ...(signal && { signal }), ...(engine && { engine }), ...(nLambdas && { nLambdas }) }
  const deviations = deviationsOf(x)
  const least = (values: readonly number[]): number => values.indexOf(Math.min(...values))
  const sizesOf = (vectors: readonly Float64Array[]): Float64Array =>
    deviations.map((deviation, j) => deviation * vectors.reduce((sum, of) => sum + Math.abs(of[j]!), 0))
  const count = x.rows
  if (target.kind === 'number') {
    const found = await path(x, target.values, shared)
    return {
      sizes: found.models.map(({ coefficients }) => sizesOf([coefficients])),
      lambdas: found.lambdas,
      best: criterion
        ? least(informationCriteria(found, { count, variance: deviationOf(target.values) ** 2 })[criterion])
        : null,
    }
  }
  const classes = new Set(target.codes).size
  const found = await glmPath(x, cellsOf(target), { ...shared, family: classes > 2 ? 'multinomial' : 'binomial' })
  return {
    sizes: found.models.map(({ coefficients }) => sizesOf(coefficients)),
    lambdas: found.lambdas,
    best: criterion ? least(glmCriteria(found, { count })[criterion]) : null,
  }
}

const deviationOf = (values: Float64Array): number =>
  deviationsOf({ rows: values.length, columns: 1, data: values })[0]!

/** The columns of X that a column of the table became. */
type Span = readonly [number, number]

function spansOf(columns: readonly TableColumn[]): readonly Span[] {
  let at = 0
  return columns.map((column): Span => {
    const from = at
    at += column.kind === 'number' ? 1 : column.levels.length
    return [from, at]
  })
}
