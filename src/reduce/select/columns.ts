/** What selection works on: columns by name, of a matrix or a table, and a target. */

import type { CategoryColumn, NumberColumn, TableColumn } from '../../data/columns.js'
import { checkShape, type DenseMatrix, firstUnfit, stridesOf, unfit } from '../../linear/design.js'
import { PareError } from '../../util/errors.js'

/** A matrix, or columns as a table has them: numbers, or categories with their levels. */
export type Features = DenseMatrix | readonly TableColumn[]

/** One value a row: numbers, texts, or a column of a table. */
export type Target = ArrayLike<number | string> | TableColumn

export interface FeatureOptions {
  /** Of the columns of a matrix. Default `x1`, `x2`, … */
  readonly names?: readonly string[]
  /** Whether the numbers of a matrix are names of classes: all, or column by column. Default false. */
  readonly discrete?: boolean | readonly boolean[]
}

export interface TargetOptions {
  /** Whether the target is classes. Default: where it is text. */
  readonly isClasses?: boolean
}

/** Columns and their scores; names are those that were given. */
export interface Ranking {
  readonly names: readonly string[]
  /** By column. */
  readonly scores: Float64Array
  /** Numbers of the columns, the best first. */
  readonly order: readonly number[]
}

/** Columns by score, the largest first; of equal ones the first. */
export function ranked(names: readonly string[], scores: Float64Array): Ranking {
  return { names, scores, order: [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b) }
}

/** Throws `DESIGN_EMPTY`, `DESIGN_SHAPE`, `DESIGN_FINITE`, `DESIGN_RANGE`; a category may have missing cells. */
export function columnsOf(x: Features, options: FeatureOptions = {}): readonly TableColumn[] {
  const columns = 'data' in x ? matrixColumns(x, options) : x
  const rows = rowsOf(columns[0])
  if (rows === 0) throw emptyColumns(columns.length)
  for (const column of columns) {
    if (rowsOf(column) !== rows) throw otherLength(`column ${column.name}`, rowsOf(column), rows)
    if (column.kind === 'number') checkNumbers(column)
  }
  return columns
}

/** As many rows as the columns have. Throws the same, and `SELECT_TARGET` where a cell is missing. */
export function targetOf(y: Target, rows: number, { isClasses }: TargetOptions = {}): TableColumn {
  const column = 'kind' in y ? y : asColumn(y)
  if (rowsOf(column) !== rows) throw otherLength('the target', rowsOf(column), rows)
  if (column.kind === 'number') {
    checkNumbers(column)
    return isClasses ? asCategory(column) : column
  }
  const missing = column.codes.findIndex((code) => code < 0)
  if (missing >= 0 || isClasses === false) {
    throw new PareError('SELECT_TARGET', missing < 0 ? 'the target is text' : 'the target has a missing cell', {
      where: `column ${column.name}`,
      value: missing < 0 ? column.levels[0] : `row ${missing + 1}`,
      remedy:
        missing < 0 ? 'Name a column of numbers, or take its texts as classes.' : 'Fill it in, or remove the row.',
    })
  }
  return column
}

export const namesOf = (columns: readonly TableColumn[]): readonly string[] => columns.map(({ name }) => name)

export const rowsOf = (column: TableColumn | undefined): number =>
  column === undefined ? 0 : column.kind === 'number' ? column.values.length : column.codes.length

/** Classes of equal numbers, in their order. */
function asCategory({ name, values }: NumberColumn): CategoryColumn {
  const distinct = [...new Set(values)].sort((a, b) => a - b)
  const codeOf = new Map(distinct.map((v, code) => [v, code]))
  return { kind: 'category', name, codes: Int32Array.from(values, (v) => codeOf.get(v)!), levels: distinct.map(String) }
}

function matrixColumns(x: DenseMatrix, { names, discrete = false }: FeatureOptions): readonly TableColumn[] {
  checkShape(x, x.rows)
  const { rows, columns, data } = x
  for (const [what, list] of Object.entries({ names, discrete }))
    if (typeof list === 'object' && list.length !== columns) throw otherLength(what, list.length, columns, 'column')
  const [down, across] = stridesOf(x)
  const isDiscrete = (j: number): boolean => (typeof discrete === 'boolean' ? discrete : discrete[j]!)
  return Array.from({ length: columns }, (_, j): TableColumn => {
    const values = new Float64Array(rows)
    for (let i = 0, from = j * across; i < rows; i++, from += down) values[i] = data[from]!
    const column: NumberColumn = { kind: 'number', name: names?.[j] ?? `x${j + 1}`, values }
    checkNumbers(column)
    return isDiscrete(j) ? asCategory(column) : column
  })
}

function asColumn(y: ArrayLike<number | string>): TableColumn {
  const cells = Array.from(y)
  if (cells.every((v) => typeof v === 'number'))
    return { kind: 'number', name: 'target', values: Float64Array.from(cells) }
  const levels = [...new Set(cells.map(String))].sort()
  const codeOf = new Map(levels.map((level, code) => [level, code]))
  return { kind: 'category', name: 'target', codes: Int32Array.from(cells, (v) => codeOf.get(String(v))!), levels }
}

function checkNumbers({ name, values }: NumberColumn): void {
  const odd = firstUnfit(values)
  if (odd >= 0) throw unfit(`column ${name}, row ${odd + 1}`, values[odd]!)
}

const emptyColumns = (columns: number): PareError =>
  new PareError('DESIGN_EMPTY', 'there is nothing to choose from', {
    value: `${columns} columns without rows`,
    remedy: 'Give rows and columns.',
  })

const otherLength = (where: string, value: number, wanted: number, each = 'row'): PareError =>
  new PareError('DESIGN_SHAPE', `${where} has the wrong length`, { value, remedy: `Give ${wanted}, one a ${each}.` })
