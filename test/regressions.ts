/** Drawn problems for the linear models, and the optimality of what they give, computed from X itself. */

import type { DenseMatrix } from '../src/linear/design.js'
import { random } from '../src/util/random.js'

export interface RegressionSpec {
  readonly rows: number
  readonly columns: number
  readonly seed: number
}

/** Columns that lean on their neighbours, some of them twice or constant, and y of a few of them. */
export function regression({ rows, columns, seed }: RegressionSpec): {
  readonly x: DenseMatrix
  readonly y: Float64Array
} {
  const { normal, integer, uniform } = random(seed)
  const kinds = Array.from({ length: columns }, (_, j) => (j === 0 ? 9 : integer(10)))
  const data = new Float64Array(rows * columns)
  const y = new Float64Array(rows)
  const beta = Array.from({ length: columns }, () => (integer(3) === 0 ? 3 * normal() : 0))
  const [scale, shift] = [beta.map(() => 10 ** uniform(-2, 2)), beta.map(() => 5 * normal())]
  for (let i = 0; i < rows; i++) {
    y[i] = 10 + normal()
    let last = normal()
    for (let j = 0; j < columns; j++) {
      const at = i * columns + j
      last = 0.6 * last + 0.8 * normal()
      data[at] = kinds[j] === 0 ? data[at - 1]! : kinds[j] === 1 ? shift[j]! : scale[j]! * last + shift[j]!
      y[i]! += beta[j]! * last
    }
  }
  return { x: { rows, columns, data }, y }
}

/** The same matrix, column after column. */
export function columnMajor({ rows, columns, data }: DenseMatrix): DenseMatrix {
  const turned = data.map((_, at) => data[(at % rows) * columns + Math.floor(at / rows)]!)
  return { rows, columns, data: turned, order: 'column-major' }
}
