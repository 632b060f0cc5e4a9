/**
 * Columns without a penalty that nearly depend on each other, put on an orthonormal basis of what they span: the fit is
 * the same, and normal equations do not square their condition.
 */

import { basisOf } from '../linalg/least-squares.js'
import { type DenseMatrix, stridesOf } from './design.js'
import type { LinearModel, PathOptions } from './path.js'

export interface OnBasis {
  /** X with the basis in place of these columns, and zeros where the basis has fewer. */
  readonly x: DenseMatrix
  /** The model of the columns themselves. */
  onColumns(model: LinearModel): LinearModel
}

/**
 * `means`: of the columns of X, zeros without an intercept. What they miss by rounding is taken off too, or it would be one
 * direction more.
 */
export function onBasis(
  x: DenseMatrix,
  columns: readonly number[],
  means: Float64Array,
  { weights, hasIntercept = true }: Pick<PathOptions, 'weights' | 'hasIntercept'>,
): OnBasis {
  const { rows } = x
  const [byRow, byColumn] = stridesOf(x)
  const weightOf = (i: number): number => (weights === undefined ? 1 : weights[i]!)
  const root = (i: number): number => Math.sqrt(weightOf(i))
  const cell = (i: number, j: number): number => x.data[i * byRow + j * byColumn]!
  const centred = new Float64Array(rows * columns.length)
  const missed = columns.map((j) => (hasIntercept ? meanAbout(means[j]!, (i) => cell(i, j), rows, weightOf) : 0))
  for (const [k, j] of columns.entries())
    for (let i = 0; i < rows; i++) centred[k * rows + i] = root(i) * (cell(i, j) - means[j]! - missed[k]!)
  const basis = basisOf(centred, rows, columns.length)
  const size = Math.sqrt(rows)
  const data = Float64Array.from(x.data)
  for (const [k, j] of columns.entries()) {
    for (let i = 0; i < rows; i++) {
      // A row without weight has no say, whatever stands there.
      const value = k < basis.rank && root(i) > 0 ? (size * basis.columns[k * rows + i]!) / root(i) : 0
      data[i * byRow + j * byColumn] = value
    }
  }
  return {
    x: { ...x, data },
    onColumns({ coefficients, intercept, ...model }) {
      const own = basis.coefficientsOf(
        Float64Array.from({ length: basis.rank }, (_, k) => size * coefficients[columns[k]!]!),
      )
      const out = coefficients.slice()
      let moved = intercept
      for (const [k, j] of columns.entries()) {
        out[j] = own[k]!
        moved -= own[k]! * (means[j]! + missed[k]!)
      }
      return { ...model, coefficients: out, intercept: moved }
    },
  }
}

/** Σ w (v − mean) / Σ w */
function meanAbout(
  mean: number,
  numberOf: (i: number) => number,
  rows: number,
  weightOf: (i: number) => number,
): number {
  let [sum, weight] = [0, 0]
  for (let i = 0; i < rows; i++) {
    sum += weightOf(i) * (numberOf(i) - mean)
    weight += weightOf(i)
  }
  return sum / weight
}
