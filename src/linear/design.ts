/** What a linear model is fitted on: a matrix of columns, dense or sparse, and one number a row. */

import { PareError } from '../util/errors.js'

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

/** Throws `DESIGN_SHAPE`, `DESIGN_EMPTY`, `DESIGN_SPARSE`, and `DESIGN_FINITE` with row and column of the first number that is none. */
export function checkDesign(x: DesignMatrix, y: ArrayLike<number>, weights?: ArrayLike<number>): void {
  const { rows, columns } = x
  if (rows < 1 || columns < 1) throw empty(`${rows} rows, ${columns} columns`)
  if (isSparse(x)) checkSparse(x)
  else checkDense(x)
  if (y.length !== rows) throw wrongLength('y', y.length, `${rows}, one a row`)
  for (let i = 0; i < rows; i++) if (!Number.isFinite(y[i]!)) throw notFinite(`y, row ${i + 1}`, y[i]!)
  if (weights === undefined) return
  if (weights.length !== rows) throw wrongLength('weights', weights.length, `${rows}, one a row`)
  for (let i = 0; i < rows; i++)
    if (!(weights[i]! >= 0 && weights[i]! < Number.POSITIVE_INFINITY)) throw noWeight(i, weights[i]!)
  if (Array.from(weights).every((w) => w === 0)) throw empty('all weights are 0')
}

function checkDense(x: DenseMatrix): void {
  const { rows, columns, data } = x
  if (data.length !== rows * columns)
    throw wrongLength('the data of X', data.length, `${rows} x ${columns} = ${rows * columns}`)
  if (areFinite(data)) return
  const at = data.findIndex((v) => !Number.isFinite(v))
  throw notFinite(`X, ${placeOf(x, at)}`, data[at]!)
}

function checkSparse({ rows, columns, columnStarts, rowIndices, values }: SparseMatrix): void {
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
  if (areFinite(values)) return
  const at = values.findIndex((v) => !Number.isFinite(v))
  let j = 0
  while (columnStarts[j + 1]! <= at) j++
  throw notFinite(`X, row ${rowIndices[at]! + 1}, column ${j + 1}`, values[at]!)
}

/** Whether 0 times each is 0: four sums at a time, as each waits for its last. */
function areFinite(data: DenseMatrix['data']): boolean {
  let [a, b, c, d] = [0, 0, 0, 0]
  const whole = data.length - (data.length % 4)
  for (let i = 0; i < whole; i += 4) {
    a += 0 * data[i]!
    b += 0 * data[i + 1]!
    c += 0 * data[i + 2]!
    d += 0 * data[i + 3]!
  }
  for (let i = whole; i < data.length; i++) a += 0 * data[i]!
  return a + b + c + d === 0
}

/** Steps from one row to the next, and from one column to the next. */
export const stridesOf = ({ rows, columns, order }: DenseMatrix): readonly [number, number] =>
  order === 'column-major' ? [1, rows] : [columns, 1]

function placeOf(x: DenseMatrix, at: number): string {
  const [byRow, byColumn] = stridesOf(x)
  const [row, column] =
    byRow === 1 ? [at % x.rows, Math.floor(at / byColumn)] : [Math.floor(at / byRow), at % x.columns]
  return `row ${row + 1}, column ${column + 1}`
}

const empty = (value: string): PareError =>
  new PareError('DESIGN_EMPTY', 'there is nothing to fit', { value, remedy: 'Give rows and columns.' })

const wrongLength = (where: string, value: number, wanted: string): PareError =>
  new PareError('DESIGN_SHAPE', `${where} has the wrong length`, { value, remedy: `Give ${wanted}.` })

const misplaced = (where: string, value: number, wanted: string): PareError =>
  new PareError('DESIGN_SPARSE', 'compressed columns are out of order', {
    where: `X, ${where}`,
    value,
    remedy: `Give ${wanted}; rows grow within a column, and none comes twice.`,
  })

const notFinite = (where: string, value: number): PareError =>
  new PareError('DESIGN_FINITE', 'a number is missing or not finite', {
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
