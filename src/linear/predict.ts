/** What a linear model says of rows. */

import { type DesignMatrix, isSparse, stridesOf } from './design.js'
import type { LinearModel } from './linear-path.js'

export function predictions(x: DesignMatrix, { coefficients, intercept }: LinearModel): Float64Array {
  const sums = new Float64Array(x.rows).fill(intercept)
  for (let j = 0; j < coefficients.length; j++) if (coefficients[j] !== 0) addColumn(x, j, coefficients[j]!, sums)
  return sums
}

function addColumn(x: DesignMatrix, j: number, c: number, sums: Float64Array): void {
  if (isSparse(x)) {
    const { columnStarts, rowIndices, values } = x
    for (let k = columnStarts[j]!; k < columnStarts[j + 1]!; k++) sums[rowIndices[k]!]! += c * values[k]!
    return
  }
  const [byRow, byColumn] = stridesOf(x)
  for (let i = 0; i < sums.length; i++) sums[i]! += c * x.data[i * byRow + j * byColumn]!
}
