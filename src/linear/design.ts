/** What a linear model is fitted on: a matrix of columns, dense, and one number a row. */

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

/**
 * Throws `DESIGN_SHAPE`, `DESIGN_EMPTY`, `DESIGN_WEIGHT`, and with row and column of the first such number `DESIGN_FINITE`
 * and `DESIGN_RANGE`.
 */
export function checkDesign(x: DenseMatrix, y: ArrayLike<number>, weights?: ArrayLike<number>): void {
  const { rows, data } = x
  checkShape(x, y.length)
  const at = firstUnfit(data)
  if (at >= 0) throw unfit(`X, ${placeOf(x, at)}`, data[at]!)
  const odd = firstUnfit(y)
  if (odd >= 0) throw unfit(`y, row ${odd + 1}`, y[odd]!)
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

/** What is larger cannot be squared and summed. */
export const MOST = 1e150

/** Index of the first value that is no number, infinite or too large; −1 where there is none. */
export function firstUnfit(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]!) <= MOST)) return i
  return -1
}

/** Steps from one row to the next, and from one column to the next. */
export const stridesOf = ({ rows, columns, order }: DenseMatrix): readonly [number, number] =>
  order === 'column-major' ? [1, rows] : [columns, 1]

function placeOf({ rows, columns, order }: DenseMatrix, at: number): string {
  const [row, column] =
    order === 'column-major' ? [at % rows, Math.floor(at / rows)] : [Math.floor(at / columns), at % columns]
  return `row ${row + 1}, column ${column + 1}`
}

export const emptyDesign = (value: string): PareError =>
  new PareError('DESIGN_EMPTY', 'there is nothing to fit', { value, remedy: 'Give rows and columns.' })

const wrongLength = (where: string, value: number, wanted: string): PareError =>
  new PareError('DESIGN_SHAPE', `${where} has the wrong length`, { value, remedy: `Give ${wanted}.` })

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
