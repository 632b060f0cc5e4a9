/** What a linear model is fitted on: a matrix of columns, dense, and one number a row. */

import { PareError } from '../util/errors.js'

/** Dense numbers; nothing is copied. */
export interface DenseMatrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array | Float32Array
  /** Default `row-major`. */
  readonly order?: 'row-major' | 'column-major'
}

/** Throws `DESIGN_SHAPE`, `DESIGN_EMPTY`, and `DESIGN_FINITE` with row and column of the first number that is none. */
export function checkDesign(x: DenseMatrix, y: ArrayLike<number>, weights?: ArrayLike<number>): void {
  const { rows, columns, data } = x
  if (rows < 1 || columns < 1) throw empty(`${rows} rows, ${columns} columns`)
  if (data.length !== rows * columns)
    throw wrongLength('the data of X', data.length, `${rows} x ${columns} = ${rows * columns}`)
  if (y.length !== rows) throw wrongLength('y', y.length, `${rows}, one a row`)
  if (!areFinite(data)) {
    const at = data.findIndex((v) => !Number.isFinite(v))
    throw notFinite(`X, ${placeOf(x, at)}`, data[at]!)
  }
  for (let i = 0; i < rows; i++) if (!Number.isFinite(y[i]!)) throw notFinite(`y, row ${i + 1}`, y[i]!)
  if (weights === undefined) return
  if (weights.length !== rows) throw wrongLength('weights', weights.length, `${rows}, one a row`)
  for (let i = 0; i < rows; i++)
    if (!(weights[i]! >= 0 && weights[i]! < Number.POSITIVE_INFINITY)) throw noWeight(i, weights[i]!)
  if (Array.from(weights).every((w) => w === 0)) throw empty('all weights are 0')
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
