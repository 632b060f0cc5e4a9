/**
 * Products with tiles: some rows of a matrix, column after column, so few that what is done with one column finds the
 * other operand in the cache.
 *
 * The plain form of the loops. assembly/tiles.ts has the same with 128-bit vectors: a sum over rows is one over the even
 * ones plus one over the odd ones in both, so both give the same bits.
 */

/** Of a tile [columns, height] with an even height. */
export interface Tile {
  readonly data: Float64Array
  readonly height: number
}

/** target += Σ cₖ columnₖ over the columns of the list. */
export function addColumns(
  { data, height }: Tile,
  columns: Int32Array,
  coefficients: Float64Array,
  target: Float64Array,
): void {
  for (let k = 0; k < columns.length; k++) {
    const [c, at] = [coefficients[k]!, columns[k]! * height]
    for (let i = 0; i < height; i++) target[i]! += c * data[at + i]!
  }
}

/** outₖ += columnₖᵀ v over the columns of the list. */
export function dotColumns({ data, height }: Tile, columns: Int32Array, v: Float64Array, out: Float64Array): void {
  for (let k = 0; k < columns.length; k++) {
    const at = columns[k]! * height
    let [even, odd] = [0, 0]
    for (let i = 0; i < height; i += 2) {
      even += v[i]! * data[at + i]!
      odd += v[i + 1]! * data[at + i + 1]!
    }
    out[k]! += even + odd
  }
}

export interface Product {
  /** Lists of columns: of the rows of the result, and of its columns. */
  readonly left: Int32Array
  readonly right: Int32Array
  /** [left, stride], added to. */
  readonly out: Float64Array
  readonly stride: number
  /**
   * For the upper triangle of a symmetric result: where in `right` the first of `left` stands. Row a begins at the last
   * multiple of four that is not above first + a (of the first one of two rows). Below 0: all.
   */
  readonly first: number
}

/** out[a, b] += Σ wᵢ xᵢₐ xᵢ_b; the scratch has room for two columns. */
export function multiplyColumns(
  tile: Tile,
  { left, right, out, stride, first }: Product,
  weights: Float64Array,
  scratch: Float64Array,
): void {
  const { data, height } = tile
  for (let a = 0; a < left.length; a++) {
    const at = left[a]! * height
    const z = scratch.subarray((a % 2) * height)
    for (let i = 0; i < height; i++) z[i] = weights[i]! * data[at + i]!
    const pair = a - (a % 2)
    const from = first < 0 ? 0 : (first + pair) & ~3
    dotColumns(tile, right.subarray(from), z, out.subarray(a * stride + from))
  }
}

/** In float32: out[k, i] = cₖ rootsᵢ xᵢₖ */
export function scaleColumns(
  { data, height }: Tile,
  columns: Int32Array,
  coefficients: Float64Array,
  roots: Float64Array,
  out: Float32Array,
): void {
  for (let k = 0; k < columns.length; k++) {
    const [c, at, to] = [coefficients[k]!, columns[k]! * height, k * height]
    for (let i = 0; i < height; i++) out[to + i] = c * (roots[i]! * data[at + i]!)
  }
}
