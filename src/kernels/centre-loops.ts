/**
 * Rows into tiles, in which columns lie one after the other: centred, scaled and weighted on the way, and summed.
 *
 * The plain form of the loops. assembly/centre.ts has the same with 128-bit vectors: a sum over rows is one over the even
 * ones plus one over the odd ones in both, so both give the same bits.
 */

/** Rows that are taken together: in float32, a line of the cache of each column. */
export const STRIP = 16

/** What is done to each number, and the sums of what comes out. */
export interface Centring {
  readonly shifts: Float64Array
  readonly factors: Float64Array
  /** Σ √w v and Σ v² of v = √w (z − shift) factor, by column; added to. */
  readonly sums: Float64Array
  readonly squares: Float64Array
}

/** Rows, one after the other. */
export interface Strip {
  /** [STRIP, stride] */
  readonly data: Float64Array
  readonly stride: number
  readonly columns: number
  /** √w of each row; 0 where there is none. */
  readonly roots: Float64Array
}

/** Columns of `height` numbers, of which the strip is to be the first ones. */
export interface Target {
  readonly data: Float64Array | Float32Array
  readonly height: number
}

export function centreRows({ data, stride, columns, roots }: Strip, centring: Centring, out: Target): void {
  const { shifts, factors, sums, squares } = centring
  for (let j = 0; j < columns; j++) {
    const [shift, factor, to] = [shifts[j]!, factors[j]!, j * out.height]
    let [even, odd, evenSquare, oddSquare] = [0, 0, 0, 0]
    for (let i = 0; i < STRIP; i += 2) {
      const [root, next] = [roots[i]!, roots[i + 1]!]
      const a = (data[i * stride + j]! - shift) * factor * root
      const b = (data[(i + 1) * stride + j]! - shift) * factor * next
      even += root * a
      odd += next * b
      evenSquare += a * a
      oddSquare += b * b
      out.data[to + i] = a
      out.data[to + i + 1] = b
    }
    sums[j]! += even + odd
    squares[j]! += evenSquare + oddSquare
  }
}

/** Column j alone: as many numbers as there are roots, a multiple of four. */
export function centreColumn(
  column: Float64Array,
  j: number,
  { shifts, factors, sums, squares }: Centring,
  roots: Float64Array,
  out: Float64Array | Float32Array,
): void {
  const [shift, factor] = [shifts[j]!, factors[j]!]
  let [even, odd, evenSquare, oddSquare] = [0, 0, 0, 0]
  for (let i = 0; i < roots.length; i += 2) {
    const [root, next] = [roots[i]!, roots[i + 1]!]
    const a = (column[i]! - shift) * factor * root
    const b = (column[i + 1]! - shift) * factor * next
    even += root * a
    odd += next * b
    evenSquare += a * a
    oddSquare += b * b
    out[i] = a
    out[i + 1] = b
  }
  sums[j]! += even + odd
  squares[j]! += evenSquare + oddSquare
}
