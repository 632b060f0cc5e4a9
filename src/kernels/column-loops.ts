/**
 * Products with the columns of a matrix that lie one after the other, each in whole blocks of rows, and coordinate
 * descent on what is left of y: ½‖y − Zβ‖² + Σ aⱼ|βⱼ| + ½ Σ bⱼβⱼ² with lower ≤ β ≤ upper (Friedman, Hastie and
 * Tibshirani 2010, eq. 5).
 *
 * The plain form of the loops. assembly/columns.ts has the same with 128-bit vectors: no sum changes its order, so both
 * give the same bits.
 */

/** Numbers of columns; null stands for all. */
export type ColumnList = Int32Array | null

/** [columns, stride] */
export interface ColumnData {
  readonly columns: Float64Array
  readonly stride: number
}

/** By position in the list. */
export interface ColumnTerms {
  /** zⱼᵀzⱼ */
  readonly squares: Float64Array
  /** aⱼ and bⱼ. */
  readonly l1: Float64Array
  readonly l2: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
}

const columnOf = (list: ColumnList, k: number): number => (list === null ? k : list[k]!)

/** out[k] = column(list[k])ᵀ v, for all of `out`. */
export function products({ columns, stride }: ColumnData, list: ColumnList, v: Float64Array, out: Float64Array): void {
  for (let k = 0; k < out.length; k++) out[k] = dot(columns, columnOf(list, k) * stride, stride, v)
}

/** In four sums, by i mod 4. */
function dot(columns: Float64Array, at: number, stride: number, v: Float64Array): number {
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let i = 0; i < stride; i += 4) {
    a += columns[at + i]! * v[i]!
    b += columns[at + i + 1]! * v[i + 1]!
    c += columns[at + i + 2]! * v[i + 2]!
    d += columns[at + i + 3]! * v[i + 3]!
  }
  return a + b + (c + d)
}

/** target −= Σ cₖ column(list[k]). */
export function subtractColumns(
  data: ColumnData,
  list: ColumnList,
  coefficients: Float64Array,
  target: Float64Array,
): void {
  for (let k = 0; k < coefficients.length; k++)
    if (coefficients[k] !== 0) subtract(data, columnOf(list, k), coefficients[k]!, target)
}

function subtract({ columns, stride }: ColumnData, j: number, c: number, target: Float64Array): void {
  const at = j * stride
  for (let i = 0; i < stride; i++) target[i]! -= c * columns[at + i]!
}

/**
 * A pass over the listed columns; `residual` is y − Zβ and stays so. Returns the largest change, as max δⱼ²(zⱼᵀzⱼ + bⱼ).
 * A column without curvature stays where it is.
 */
export function columnPass(
  data: ColumnData,
  list: ColumnList,
  { squares, l1, l2, lower, upper }: ColumnTerms,
  beta: Float64Array,
  residual: Float64Array,
): number {
  let largest = 0
  for (let k = 0; k < beta.length; k++) {
    const own = squares[k]!
    const curvature = own + l2[k]!
    if (curvature <= 0) continue
    const j = columnOf(list, k)
    const before = beta[k]!
    const pull = dot(data.columns, j * data.stride, data.stride, residual) + own * before
    const threshold = l1[k]!
    const free = pull > threshold ? pull - threshold : pull < -threshold ? pull + threshold : 0
    const after = Math.min(Math.max(free / curvature, lower[k]!), upper[k]!)
    const change = after - before
    if (change === 0) continue
    beta[k] = after
    subtract(data, j, change, residual)
    const size = change * change * curvature
    if (size > largest) largest = size
  }
  return largest
}
