/**
 * Standardized columns of a sparse matrix, centred without being filled: zⱼ = (√ω xⱼ − meanⱼ √ω) / scaleⱼ, and with it
 * zⱼᵀv = (xⱼᵀ(√ω v) − meanⱼ (√ωᵀv)) / scaleⱼ.
 */

import type { ColumnList, ColumnTerms } from '../kernels/column-loops.js'
import { type ColumnOptions, type Columns, type StandardColumns, type Standardize, sharesOf } from './columns.js'
import type { SparseMatrix } from './design.js'
import { isConstant, scalingOf } from './standard.js'

export const sparseColumns =
  (x: SparseMatrix): Standardize =>
  (y, o) =>
    standardOf(x, y, o)

function standardOf(x: SparseMatrix, y: ArrayLike<number>, o: ColumnOptions): StandardColumns {
  const { rows, columns: p } = x
  const { index, roots } = sharesOf(rows, o)
  // Rows that do not count have a share of 0.
  const root = new Float64Array(rows)
  for (let i = 0; i < index.length; i++) root[index[i]!]! = roots[i]!
  const starts = Int32Array.from(x.columnStarts)
  const at = Int32Array.from(x.rowIndices)
  const values = Float64Array.from(x.values)
  const means = new Float64Array(p + 1)
  const spread = new Float64Array(p)
  const rest = new Float64Array(p)
  for (let j = 0; j < p; j++) {
    let [mean, missed, square] = [0, 0, 0]
    rest[j] = shareOfZeros(root, at.subarray(starts[j]!, starts[j + 1]!), index.length)
    for (let k = starts[j]!; k < starts[j + 1]!; k++) mean += root[at[k]!]! ** 2 * values[k]!
    // The second step takes off what the first missed.
    for (let k = starts[j]!; k < starts[j + 1]!; k++) missed += root[at[k]!]! ** 2 * (values[k]! - mean)
    mean += missed - rest[j]! * mean
    for (let k = starts[j]!; k < starts[j + 1]!; k++) square += root[at[k]!]! ** 2 * (values[k]! - mean) ** 2
    means[j] = mean
    spread[j] = Math.sqrt(square + rest[j]! * mean * mean)
  }
  for (let i = 0; i < rows; i++) means[p]! += root[i]! ** 2 * y[i]!
  const scaling = scalingOf(means, spread, o)
  const factors = scaling.scales.map((s) => 1 / s)
  for (const j of scaling.constant) factors[j] = 0
  const shifts = factors.map((f, j) => (o.hasIntercept ? means[j]! * f : 0))
  for (let j = 0; j < p; j++)
    for (let k = starts[j]!; k < starts[j + 1]!; k++) values[k]! *= root[at[k]!]! * factors[j]!
  const centred = root.map((d, i) => d * (y[i]! - (o.hasIntercept ? means[p]! : 0)))
  // By the intercept alone.
  const isExplained = o.hasIntercept && isConstant(Math.sqrt(inner(centred, centred)), means[p]!)
  return {
    ...scaling,
    columns: sparseProducts({ starts, at, values, shifts, rest, root }),
    y: isExplained ? new Float64Array(rows) : centred,
    used: index.length,
  }
}

/** ω of the rows without a number: exactly 0 where all rows have one, or a constant column would seem to vary. */
function shareOfZeros(root: Float64Array, stored: Int32Array, used: number): number {
  let [share, count] = [0, 0]
  for (let k = 0; k < stored.length; k++) {
    share += root[stored[k]!]! ** 2
    count += Number(root[stored[k]!]! > 0)
  }
  return count === used ? 0 : Math.max(0, 1 - share)
}

/** zⱼ = column of values − shiftⱼ √ω, √ω having length 1. */
interface SparseData {
  readonly starts: Int32Array
  readonly at: Int32Array
  readonly values: Float64Array
  readonly shifts: Float64Array
  /** ω of the rows that a column has no number in. */
  readonly rest: Float64Array
  readonly root: Float64Array
}

function sparseProducts(data: SparseData): Columns {
  const { shifts, root } = data
  const columnOf = (list: ColumnList, k: number): number => (list === null ? k : list[k]!)
  const squares = shifts.map((shift, j) => squareOf(data, j, shift))
  return {
    length: root.length,
    count: shifts.length,
    squares,
    products(list, v, out) {
      const along = inner(root, v)
      for (let k = 0; k < out.length; k++) {
        const j = columnOf(list, k)
        out[k] = product(data, j, v) - shifts[j]! * along
      }
    },
    subtract(list, coefficients, target) {
      let along = 0
      for (let k = 0; k < coefficients.length; k++) {
        if (coefficients[k] === 0) continue
        const j = columnOf(list, k)
        along += coefficients[k]! * shifts[j]!
        subtract(data, j, coefficients[k]!, target)
      }
      if (along !== 0) for (let i = 0; i < root.length; i++) target[i]! += along * root[i]!
    },
    pass(list, terms, beta, residual) {
      return sparsePass(data, list, terms, beta, residual)
    },
  }
}

/**
 * As `columnPass`. With a shift columns are at right angles to √ω, so what the residual has of it changes no product: the
 * changes of the shifts wait until the end, and only √ωᵀr is kept up to date.
 */
function sparsePass(
  data: SparseData,
  list: ColumnList,
  { squares, l1, l2, lower, upper }: ColumnTerms,
  beta: Float64Array,
  residual: Float64Array,
): number {
  const { shifts, root } = data
  let along = inner(root, residual)
  let [largest, waiting] = [0, 0]
  for (let k = 0; k < beta.length; k++) {
    const own = squares[k]!
    const curvature = own + l2[k]!
    if (curvature <= 0) continue
    const j = list === null ? k : list[k]!
    const before = beta[k]!
    const pull = product(data, j, residual) - shifts[j]! * along + own * before
    const threshold = l1[k]!
    const free = pull > threshold ? pull - threshold : pull < -threshold ? pull + threshold : 0
    const after = Math.min(Math.max(free / curvature, lower[k]!), upper[k]!)
    const change = after - before
    if (change === 0) continue
    beta[k] = after
    subtract(data, j, change, residual)
    along -= change * shifts[j]!
    waiting += change * shifts[j]!
    largest = Math.max(largest, change * change * curvature)
  }
  if (waiting !== 0) for (let i = 0; i < root.length; i++) residual[i]! += waiting * root[i]!
  return largest
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function product({ starts, at, values }: SparseData, j: number, v: Float64Array): number {
  let sum = 0
  for (let k = starts[j]!, end = starts[j + 1]!; k < end; k++) sum += values[k]! * v[at[k]!]!
  return sum
}

function subtract({ starts, at, values }: SparseData, j: number, c: number, target: Float64Array): void {
  for (let k = starts[j]!, end = starts[j + 1]!; k < end; k++) target[at[k]!]! -= c * values[k]!
}

/** Σ (v − shift √ω)² over the rows that have a number, and shift² ω of all others. */
function squareOf({ starts, at, values, rest, root }: SparseData, j: number, shift: number): number {
  let square = rest[j]! * shift * shift
  for (let k = starts[j]!; k < starts[j + 1]!; k++) square += (values[k]! - shift * root[at[k]!]!) ** 2
  return square
}
