/** Matrices on which factorizations are known to fail, and what proves one: residuals and orthogonality. */

import { random } from '../src/util/random.js'

export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

export const matrixOf = (rows: number, columns: number, element: (i: number, j: number) => number): Matrix => ({
  rows,
  columns,
  data: Float64Array.from({ length: rows * columns }, (_, at) => element(Math.floor(at / columns), at % columns)),
})

export function normals(rows: number, columns: number, seed = 1): Matrix {
  const { normal } = random(seed)
  return matrixOf(rows, columns, () => normal())
}

export const scaled = ({ rows, columns, data }: Matrix, factor: (i: number, j: number) => number): Matrix =>
  matrixOf(rows, columns, (i, j) => data[i * columns + j]! * factor(i, j))

/** By rows of the left one, in plain loops. */
export function product(a: Matrix, b: Matrix): Matrix {
  const out = new Float64Array(a.rows * b.columns)
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < a.columns; k++)
      for (let j = 0; j < b.columns; j++)
        out[i * b.columns + j]! += a.data[i * a.columns + k]! * b.data[k * b.columns + j]!
  return { rows: a.rows, columns: b.columns, data: out }
}

export const turned = ({ rows, columns, data }: Matrix): Matrix =>
  matrixOf(columns, rows, (i, j) => data[j * columns + i]!)

const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((m, v) => Math.max(m, Math.abs(v)), 0)

/** Largest element of |A − B|, as a part of ‖A‖. */
export const distance = (a: Matrix, b: Matrix): number =>
  largest(a.data.map((v, at) => v - b.data[at]!)) / (Math.sqrt(a.data.reduce((sum, v) => sum + v * v, 0)) || 1)

/** Largest element of |QᵀQ − I|. */
export const fromOrthonormal = (q: Matrix): number =>
  largest(product(turned(q), q).data.map((v, at) => v - Number(at % (q.columns + 1) === 0)))

function nearlyOne(rows: number, columns: number): Matrix {
  const { data } = normals(rows, columns)
  return matrixOf(rows, columns, (i, j) => Math.sin(i) + 1e-9 * data[i * columns + j]!)
}

/** Tall ones: [name, matrix]. */
export const TALL: readonly (readonly [string, Matrix])[] = [
  ['1 x 1', matrixOf(1, 1, () => -3)],
  ['one column', normals(40, 1)],
  ['square', normals(30, 30)],
  ['tall', normals(200, 40)],
  ['identity', matrixOf(50, 20, (i, j) => Number(i === j))],
  ['zero', matrixOf(20, 6, () => 0)],
  ['ones', matrixOf(60, 8, () => 1)],
  ['rank 3 of 12', product(normals(80, 3, 2), normals(3, 12, 3))],
  ['blocks that repeat', matrixOf(60, 12, (i, j) => (i % 12) + 3 * (j % 3))],
  ['columns from 1 to 1e-16', scaled(normals(90, 17), (_, j) => 10 ** -j)],
  ['rows from 1 to 1e-16', scaled(normals(90, 9), (i) => 10 ** -((16 * i) / 90))],
  ['nearly one direction', nearlyOne(70, 10)],
  ['Hilbert', matrixOf(40, 14, (i, j) => 1 / (i + j + 1))],
  ['huge', scaled(normals(40, 7), () => 1e200)],
  ['tiny', scaled(normals(40, 7), () => 1e-200)],
]
