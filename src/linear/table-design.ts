/** A table as what a linear model is fitted on: columns by their roles, and what is said of columns by name. */

import { unknownColumn } from '../data/column-names.js'
import type { Table, TableColumn } from '../data/columns.js'
import type { ColumnKind } from '../data/describe.js'
import { PareError } from '../util/errors.js'
import type { DenseMatrix } from './design.js'
import { type EncodeOptions, encode, type Feature, namesOf } from './encode.js'
import type { GaussianModel } from './gaussian-model.js'
import { type Columns, type NumbersOf, roleColumn, targetColumn } from './target.js'
import { wrongOption } from './terms.js'

export interface TableOptions extends EncodeOptions {
  /** The column that is predicted. */
  readonly target: string
  /** A column of weights of the rows, none below 0; only their ratios count. */
  readonly weights?: string
  /** Columns that take no part. */
  readonly without?: readonly string[]
  /** A column that is added to the linear predictor of a row: log exposure for counts. */
  readonly offset?: string
  /**
   * By column of the table, or by `column=level`: 0 leaves it without a penalty, Infinity leaves it out. For groups, of
   * whole groups.
   */
  readonly penaltyFactors?: Readonly<Record<string, number>>
  /** Whether all coefficients are to be at least 0. */
  readonly isPositive?: boolean
  /** Columns of the table that a group lasso takes or leaves together; each other column is a group of its own. */
  readonly columnGroups?: readonly (readonly string[])[]
}

export interface TableDesign {
  readonly target: TableColumn
  readonly x: DenseMatrix
  readonly features: readonly Feature[]
  /** Of the columns of X. */
  readonly names: readonly string[]
  readonly weights?: Float64Array
  readonly offset?: Float64Array
}

/** Throws `TABLE_COLUMN`, `TABLE_MISSING`, `TABLE_CELL`, `DESIGN_WEIGHT`, `DESIGN_FINITE`. */
export function designOf(table: Table, options: TableOptions): TableDesign {
  const { target, weights, offset, columns } = rolesOf(table, options)
  for (const [i, w] of weights?.values.entries() ?? [])
    checkWeight(w, `${table.name}, row ${i + 1}, column ${weights!.name}`)
  const encoded = encode(columns, table, options, weights?.values)
  return { target, ...encoded, ...(weights && { weights: weights.values }), ...(offset && { offset: offset.values }) }
}

export interface Roles<C> {
  readonly target: C
  readonly weights: NumbersOf<C> | null
  readonly offset: NumbersOf<C> | null
  /** What X is made of. */
  readonly columns: readonly C[]
}

/** Of a table, or of what is known of its columns. Throws `TABLE_COLUMN`, `TABLE_MISSING`, `TABLE_CELL`, `DESIGN_…`. */
export function rolesOf<C extends TableColumn | ColumnKind>(table: Columns<C>, options: TableOptions): Roles<C> {
  const { without = [] } = options
  const target = targetColumn(table, options.target)
  const roles = [options.target, options.weights, options.offset].filter((name) => name !== undefined)
  const twice = roles.find((name, i) => roles.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new PareError('TABLE_COLUMN', 'a column is target, weights or offset, one of them', {
      where: table.name,
      value: twice,
      remedy: 'Name another column.',
    })
  }
  const numbers = (name: string | undefined, what: string): NumbersOf<C> | null =>
    name === undefined ? null : roleColumn(table, name, what)
  const weights = numbers(options.weights, 'the column of weights')
  const offset = numbers(options.offset, 'the column of offsets')
  checkNames(
    without,
    table.columns.map(({ name }) => name),
  )
  const left = new Set([...roles, ...without])
  return { target, weights, offset, columns: table.columns.filter(({ name }) => !left.has(name)) }
}

/** Throws `DESIGN_WEIGHT`. */
export function checkWeight(weight: number, where: string): void {
  if (weight >= 0 && Number.isFinite(weight)) return
  throw new PareError('DESIGN_WEIGHT', 'a weight is a finite number of at least 0', {
    where,
    value: weight,
    remedy: 'Give 0 to leave a row out.',
  })
}

/** Options of the columns of X, from those by name; by group where they come and go together. */
export const termsFor = (kind: GaussianModel, design: XColumns, options: TableOptions) =>
  kind === 'group-lasso' ? termsByGroup(design, options) : termsByColumn(design, options)

type XColumns = Pick<TableDesign, 'features' | 'names'>

/** Throws `TABLE_COLUMN`, `PATH_OPTION`. */
export function termsByColumn({ features, names }: XColumns, options: TableOptions) {
  const factors = factorsByColumn(features, names, options.penaltyFactors ?? {})
  return {
    ...(options.penaltyFactors && { penaltyFactors: factors }),
    ...(options.isPositive && { lowerBounds: new Float64Array(names.length) }),
  }
}

function factorsByColumn(
  features: readonly Feature[],
  names: readonly string[],
  given: Readonly<Record<string, number>>,
): readonly number[] {
  const columns = features.map(({ name }) => name)
  checkNames(Object.keys(given), [...columns, ...names], columns)
  return features.flatMap((feature) => namesOf([feature]).map((name) => given[name] ?? given[feature.name] ?? 1))
}

/** The same for groups, and the group of each column of X, by name. */
function termsByGroup({ features, names }: XColumns, options: TableOptions) {
  const { columnGroups: given = [], penaltyFactors = {} } = options
  const columns = features.map(({ name }) => name)
  checkNames(given.flat(), columns)
  const twice = given.flat().find((name, i, all) => all.indexOf(name) !== i)
  if (twice !== undefined) throw wrongOption('columnGroups', twice, 'groups without a column in common')
  const groupOf = (name: string): string => given.find((group) => group.includes(name))?.join(' + ') ?? name
  const columnGroups = features.flatMap((f) => namesOf([f]).map(() => groupOf(f.name)))
  const factors = factorsByColumn(features, names, penaltyFactors)
  const groupFactors = [...new Set(columnGroups)].map((group) => {
    const own = factors.filter((_, j) => columnGroups[j] === group)
    if (new Set(own).size > 1)
      throw wrongOption('penaltyFactors', own, `the same for all columns of the group ${group}`)
    return own[0]! * Math.sqrt(own.length)
  })
  return { columnGroups, groupFactors, ...(options.isPositive && { lowerBounds: new Float64Array(names.length) }) }
}

/** Throws `TABLE_COLUMN`; `listed` are those that the message names. */
function checkNames(given: readonly string[], known: readonly string[], listed = known): void {
  const unknown = given.find((name) => !known.includes(name))
  if (unknown !== undefined) throw unknownColumn('columns of the fit', unknown, listed)
}
