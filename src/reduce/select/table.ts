/** From a table to the columns of it that are worth keeping. */

import { unknownColumn } from '../../data/column-names.js'
import type { Table, TableColumn } from '../../data/columns.js'
import type { Engine } from '../../engine/engine.js'
import { meanSums, numberFeature } from '../../linear/encode.js'
import { rolesOf } from '../../linear/table-design.js'
import { PareError } from '../../util/errors.js'
import { type Ranking, targetOf } from './columns.js'
import { correlation } from './correlation.js'
import { countOf, type Keep } from './keep.js'
import { lasso } from './lasso.js'
import type { Method } from './methods.js'
import { type MrmrRanking, mrmr } from './mrmr.js'
import { type InformationOptions, mutualInformation } from './mutual-information.js'
import { variance } from './variance.js'

export interface SelectOptions
  extends Pick<InformationOptions, 'nNeighbors' | 'correction' | 'seed' | 'signal' | 'onProgress'> {
  readonly method: Method
  /** The column that is predicted; needed but for the variance, where it is a column that is not judged. */
  readonly target?: string
  /**
   * Default: a share of a half; for the lasso `bic`, which no other method takes; for the variance all above `threshold`.
   * Where a threshold leaves fewer, these are kept.
   */
  readonly keep?: Keep
  /** Default: classes where the target is text. */
  readonly task?: 'classification' | 'regression'
  /** Columns that take no part. */
  readonly without?: readonly string[]
  /** Missing numbers: an error, or the mean of the column. A missing category is one of its own. Default `error`. */
  readonly missing?: 'error' | 'mean'
  /** Of mRMR: relevance minus redundancy, or divided by it. Default `mid`. */
  readonly scheme?: 'mid' | 'miq'
  /** Of correlations: a column that correlates more than this with a better one is not kept. Default 1. */
  readonly maxCorrelation?: number
  /** Of the variance: what a column must exceed. Default 0. */
  readonly threshold?: number
  /** A lasso multiplies matrices with it; columns of mutual information go to its threads. */
  readonly engine?: Engine | Pick<Engine, 'tasks'> | undefined
}

export interface Selection extends Ranking {
  readonly method: Method
  readonly target: string | null
  /** Whether the target is of classes; null without one. */
  readonly isClasses: boolean | null
  readonly rows: number
  /** All columns: the best first, and last those that mRMR did not come to, or that were passed over. */
  readonly order: readonly number[]
  /** In the order of the table. */
  readonly kept: readonly number[]
  /** Of mRMR. */
  readonly parts: Pick<MrmrRanking, 'relevance' | 'redundancy'> | null
  /** Of correlations, by column: the better one for which it was passed over, or null. */
  readonly passedFor: readonly (number | null)[] | null
}

/**
 * Columns are kept or left as they are in the table: a category as one, whatever its levels. Throws `TABLE_…`, `DESIGN_…`,
 * `SELECT_KEEP`, `SELECT_TARGET`, `SELECT_OPTION`, and what the methods throw.
 */
export async function selectColumns(table: Table, options: SelectOptions): Promise<Selection> {
  const { method, keep = method === 'lasso' ? 'bic' : method === 'variance' ? undefined : 0.5 } = options
  if (keep === 'bic' && method !== 'lasso') {
    throw new PareError('SELECT_KEEP', 'the BIC chooses a model of a lasso', {
      value: keep,
      remedy: 'Give a number of columns or a share of them, or choose by the lasso.',
    })
  }
  const { columns, target, isClasses } = partsOf(table, options)
  const most = typeof keep === 'number' ? countOf(keep, columns.length) : columns.length
  const found = await rankedBy(columns, target, { ...options, most, criterion: keep === 'bic' ? 'bic' : undefined })
  return {
    names: found.names,
    scores: found.scores,
    order: completed(found),
    method,
    target: options.target ?? null,
    isClasses,
    rows: table.rows,
    kept: found.candidates.slice(0, most).toSorted((a, b) => a - b),
    parts: found.parts ?? null,
    passedFor: found.passedFor ?? null,
  }
}

function completed({ names, scores, order, parts }: Found): readonly number[] {
  const isIn = new Set(order)
  const worth = (j: number): number => parts?.relevance[j] ?? scores[j]!
  return [...order, ...[...names.keys()].filter((j) => !isIn.has(j)).sort((a, b) => worth(b) - worth(a) || a - b)]
}

function partsOf(table: Table, options: SelectOptions) {
  const { method, target: name, task, without = [] } = options
  if (name === undefined && method !== 'variance') {
    throw new PareError('SELECT_TARGET', 'there is no column to predict', {
      where: table.name,
      remedy: 'Name it as the target; the variance alone asks for none.',
    })
  }
  const fill = (column: TableColumn): TableColumn => filled(column, table.name, options)
  if (name === undefined || method === 'variance') {
    const apart = [...without, ...(name === undefined ? [] : [name])]
    const names = table.columns.map((column) => column.name)
    const unknown = apart.find((given) => !names.includes(given))
    if (unknown !== undefined) throw unknownColumn(table.name, unknown, names)
    const left = table.columns.filter((column) => !apart.includes(column.name))
    const own = table.columns.find((column) => column.name === name)
    return { columns: left.map(fill), target: null, isClasses: own ? own.kind === 'category' : null }
  }
  const { target, columns } = rolesOf(table, { target: name, without })
  if (task === 'regression' && target.kind === 'category') throw textTarget(table.name, name, target.levels[0])
  const isClasses = task === undefined ? undefined : task === 'classification'
  const given = targetOf(target, table.rows, isClasses === undefined ? {} : { isClasses })
  if (isSame(given)) {
    throw new PareError('SELECT_TARGET', 'the column to predict is the same in all rows', {
      where: `${table.name}, column ${name}`,
      remedy: 'Name another one: no column says anything of it.',
    })
  }
  return { columns: columns.map(fill), target: given, isClasses: given.kind === 'category' }
}

const isSame = (column: TableColumn): boolean =>
  column.kind === 'number'
    ? column.values.every((v) => v === column.values[0])
    : column.codes.every((code) => code === column.codes[0])

/** Throws `TABLE_MISSING`. */
function filled(column: TableColumn, table: string, options: SelectOptions): TableColumn {
  if (column.kind === 'category') return column
  const { name, values } = column
  const first = values.findIndex(Number.isNaN)
  if (first < 0) return column
  const mean = (): number => {
    const sums = meanSums()
    for (const v of values) sums.add(v, 1)
    return sums.mean()
  }
  const feature = numberFeature({ name, missing: first + 1 }, table, mean, options)
  const fill = feature.kind === 'number' ? feature.fill! : Number.NaN
  return { ...column, values: values.map((v) => (Number.isNaN(v) ? fill : v)) }
}

interface Found extends Ranking {
  /** Those that may be kept, the best first. */
  readonly candidates: readonly number[]
  readonly parts?: Selection['parts']
  readonly passedFor?: Selection['passedFor']
}

type Given = SelectOptions & { readonly most: number; readonly criterion: 'bic' | undefined }

async function rankedBy(columns: readonly TableColumn[], target: TableColumn | null, given: Given): Promise<Found> {
  const { method, signal, criterion, most, engine, maxCorrelation, threshold = 0 } = given
  if (method === 'variance' || target === null) {
    const found = variance(columns)
    return { ...found, candidates: found.order.filter((j) => found.scores[j]! > threshold) }
  }
  if (method === 'correlation' || method === 'spearman') {
    const kind = method === 'spearman' ? 'spearman' : 'pearson'
    const found = correlation(columns, target, { kind, ...(maxCorrelation !== undefined && { maxCorrelation }) })
    return { ...found, candidates: found.order }
  }
  if (method === 'lasso') {
    const whole = engine && 'load' in engine ? { engine } : {}
    const own = { ...whole, ...(signal && { signal }), ...(criterion && { criterion }) }
    const found = await lasso(columns, target, own).catch((error) => {
      throw error instanceof PareError && error.code === 'CRITERIA_NOISE' ? noCriterion(error) : error
    })
    return { ...found, candidates: found.chosen ?? found.order }
  }
  if (method === 'mutual-information') {
    const found = await mutualInformation(columns, target, given)
    return { ...found, candidates: found.order }
  }
  const { relevance, redundancy, ...found } = await mrmr(columns, target, { ...given, nFeatures: most })
  return { ...found, candidates: found.order, parts: { relevance, redundancy } }
}

const noCriterion = (cause: PareError): PareError =>
  new PareError('CRITERIA_NOISE', 'the noise cannot be told from this data', {
    ...cause.detail,
    remedy: 'Give --keep with a number of columns or a share of them; the BIC needs more rows than columns.',
    cause,
  })

const textTarget = (table: string, name: string, value: string | undefined): PareError =>
  new PareError('SELECT_TARGET', 'the column to predict holds text', {
    where: `${table}, column ${name}`,
    value,
    remedy: 'Name a column of numbers, or choose classification.',
  })
