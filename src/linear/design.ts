/** What a linear model is fitted on: a matrix of columns, dense or sparse, and one number a row. */

import { PareError } from '../util/errors.js'
import { counted } from '../util/format.js'

/** Dense numbers; nothing is copied. */
export interface DenseMatrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array | Float32Array
  /** Default `row-major`. */
  readonly order?: 'row-major' | 'column-major'
}

/** Compressed columns (CSC): what is not stored is zero; nothing is copied. */
export interface SparseMatrix {
  readonly rows: number
  readonly columns: number
  /** Where the numbers of each column begin, and last where those of the last one end: [columns + 1]. */
  readonly columnStarts: ArrayLike<number>
  /** Row of each number, growing within a column. */
  readonly rowIndices: ArrayLike<number>
  readonly values: Float64Array | Float32Array
}

export type DesignMatrix = DenseMatrix | SparseMatrix

export const isSparse = (x: DesignMatrix): x is SparseMatrix => 'columnStarts' in x

/**
 * `y` is null where nothing is predicted. Throws `DESIGN_SHAPE`, `DESIGN_EMPTY`, `DESIGN_SPARSE`, `DESIGN_WEIGHT`, and with row and column of the first such number `DESIGN_FINITE`
 * and `DESIGN_RANGE`.
 */
export function checkDesign(x: DesignMatrix, y: ArrayLike<number> | null, weights?: ArrayLike<number>): void {
  const length = y?.length ?? x.rows
  if (isSparse(x)) checkSparse(x, length)
  else {
    checkShape(x, length)
    checkCells(x)
  }
  checkTarget(x, y, weights)
}

/** Throws `DESIGN_FINITE` and `DESIGN_RANGE`. */
export function checkCells(x: DenseMatrix): void {
  const at = firstUnfit(x.data)
  if (at >= 0) throw unfit(`X, ${placeOf(x, at)}`, x.data[at]!)
}

/** All of `checkDesign` but the cells of X, for those who will sum them all: where they are no numbers, sums tell. */
export function checkUnsummed(x: DenseMatrix, y: ArrayLike<number> | null): void {
  checkShape(x, y?.length ?? x.rows)
  checkTarget(x, y)
}

function checkTarget({ rows }: DesignMatrix, y: ArrayLike<number> | null, weights?: ArrayLike<number>): void {
  const odd = y === null ? -1 : firstUnfit(y)
  if (odd >= 0) throw unfit(`y, row ${odd + 1}`, y![odd]!)
  if (weights === undefined) return
  if (weights.length !== rows) throw wrongLength('weights', weights.length, `${rows}, one a row`)
  for (let i = 0; i < rows; i++)
    if (!(weights[i]! >= 0 && weights[i]! < Number.POSITIVE_INFINITY)) throw noWeight(i, weights[i]!)
  if (Array.from(weights).every((w) => w === 0)) throw emptyDesign('all weights are 0')
}

/** Throws `DESIGN_SHAPE` and `DESIGN_EMPTY`; `length` is that of y. */
export function checkShape({ rows, columns, data }: DenseMatrix, length: number): void {
  if (rows < 1 || columns < 1) throw emptyDesign(`${counted(rows, 'row')}, ${counted(columns, 'column')}`)
  if (data.length !== rows * columns)
    throw wrongLength('the data of X', data.length, `${rows} x ${columns} = ${rows * columns}`)
  if (length !== rows) throw wrongLength('y', length, `${rows}, one a row`)
}

function checkSparse(x: SparseMatrix, length: number): void {
  const { rows, columns, columnStarts, rowIndices, values } = x
  if (rows < 1 || columns < 1) throw emptyDesign(`${counted(rows, 'row')}, ${counted(columns, 'column')}`)
  if (length !== rows) throw wrongLength('y', length, `${rows}, one a row`)
  if (columnStarts.length !== columns + 1)
    throw wrongLength('the column starts of X', columnStarts.length, `${columns + 1}, one more than columns`)
  if (rowIndices.length !== values.length)
    throw wrongLength('the row indices of X', rowIndices.length, `${values.length}, one a number`)
  if (columnStarts[0] !== 0) throw misplaced('the first column start', columnStarts[0]!, '0')
  for (let j = 0; j < columns; j++) {
    const [from, to] = [columnStarts[j]!, columnStarts[j + 1]!]
    if (!(Number.isInteger(to) && to >= from && to <= values.length))
      throw misplaced(`column start ${j + 2}`, to, `a whole number from ${from} to ${values.length}`)
    for (let k = from, least = 0; k < to; k++) {
      const row = rowIndices[k]!
      if (!(Number.isInteger(row) && row >= least && row < rows))
        throw misplaced(`row index ${k + 1}, in column ${j + 1}`, row, `a whole number from ${least} to ${rows - 1}`)
      least = row + 1
    }
  }
  if (columnStarts[columns] !== values.length)
    throw misplaced('the last column start', columnStarts[columns]!, `${values.length}, as many as there are numbers`)
  const at = firstUnfit(values)
  if (at < 0) return
  let j = 0
  while (columnStarts[j + 1]! <= at) j++
  throw unfit(`X, row ${rowIndices[at]! + 1}, column ${j + 1}`, values[at]!)
}

/** What is larger cannot be squared and summed. */
export const MOST = 1e150

/** Index of the first value that is no number, infinite or too large; −1 where there is none. */
export function firstUnfit(values: ArrayLike<number>): number {
  const n = values.length
  const { abs } = Math
  // A sum of four that is small enough has no part that is not.
  const fours = n - (n % 4)
  for (let i = 0; i < n; i += 4) {
    if (i < fours && abs(values[i]!) + abs(values[i + 1]!) + abs(values[i + 2]!) + abs(values[i + 3]!) <= MOST) continue
    for (let at = i; at < Math.min(n, i + 4); at++) if (!(abs(values[at]!) <= MOST)) return at
  }
  return -1
}

/** Of the given rows, or of all of so many. */
export function rowsWithWeight(
  count: number,
  {
    weights,
    rows,
  }: { readonly weights?: ArrayLike<number> | undefined; readonly rows?: ArrayLike<number> | undefined },
): Uint32Array {
  const given = rows === undefined ? Uint32Array.from({ length: count }, (_, i) => i) : Uint32Array.from(rows)
  return weights === undefined ? given : given.filter((i) => weights[i]! > 0)
}

/** Steps from one row to the next, and from one column to the next. */
export const stridesOf = ({ rows, columns, order }: DenseMatrix): readonly [number, number] =>
  order === 'column-major' ? [1, rows] : [columns, 1]

/** Of a number of the matrix, of which so many rows came before. */
export function placeOf({ rows, columns, order }: DenseMatrix, at: number, before = 0): string {
  const [row, column] =
    order === 'column-major' ? [at % rows, Math.floor(at / rows)] : [Math.floor(at / columns), at % columns]
  return `row ${before + row + 1}, column ${column + 1}`
}

export const emptyDesign = (value: string): PareError =>
  new PareError('DESIGN_EMPTY', 'there is nothing to fit', { value, remedy: 'Give rows and columns.' })

const wrongLength = (where: string, value: number, wanted: string): PareError =>
  new PareError('DESIGN_SHAPE', `${where} has the wrong length`, { value, remedy: `Give ${wanted}.` })

const misplaced = (where: string, value: number, wanted: string): PareError =>
  new PareError('DESIGN_SPARSE', 'compressed columns are out of order', {
    where: `X, ${where}`,
    value,
    remedy: `Give ${wanted}; rows grow within a column, and none comes twice.`,
  })

export const unfit = (where: string, value: number): PareError =>
  Number.isFinite(value)
    ? new PareError('DESIGN_RANGE', 'a number is too large: its square would be infinite', {
        where,
        value,
        remedy: 'Give the column in a larger unit.',
      })
    : new PareError('DESIGN_FINITE', 'a number is missing or not finite', {
        where,
        value,
        remedy: 'Remove the row, or fill in what is missing.',
      })

const noWeight = (row: number, value: number): PareError =>
  new PareError('DESIGN_WEIGHT', 'a weight is a finite number of at least 0', {
    where: `weights, row ${row + 1}`,
    value,
    remedy: 'Give 0 to leave a row out.',
  })
