/**
 * The loops of src/kernels/centre-loops.ts in AssemblyScript with 128-bit vectors: the same operations in the same order, so
 * the same bits. Arrays are addresses of float64 in the imported memory, but of float32 for an `out` that `isSingle`; nothing
 * is allocated.
 */

/** Rows of a strip. */
const STRIP: i32 = 16

function centred(at: usize, root: usize, shift: v128, factor: v128): v128 {
  return f64x2.mul(f64x2.mul(f64x2.sub(v128.load(at), shift), factor), v128.load64_splat(root))
}

function add(at: usize, value: v128, isPair: bool): void {
  store<f64>(at, load<f64>(at) + f64x2.extract_lane(value, 0))
  if (isPair) store<f64>(at + 8, load<f64>(at + 8) + f64x2.extract_lane(value, 1))
}

/** A strip of rows, two columns at a time, so that each column of the tile gets a whole line of the cache. */
export function centreRows(
  columns: i32,
  stride: i32,
  strip: usize,
  shifts: usize,
  factors: usize,
  roots: usize,
  sums: usize,
  squares: usize,
  out: usize,
  height: i32,
  isSingle: i32,
): void {
  const rowBytes = (stride as usize) << 3
  const columnBytes = (height as usize) << (isSingle ? 2 : 3)
  const end = (columns as usize) << 3
  for (let j: usize = 0; j < end; j += 16) {
    // The last one of an odd number has no neighbour: what comes of it is thrown away.
    const isPair = j + 8 < end
    const shift = v128.load(shifts + j)
    const factor = v128.load(factors + j)
    let even = f64x2.splat(0)
    let odd = f64x2.splat(0)
    let evenSquare = f64x2.splat(0)
    let oddSquare = f64x2.splat(0)
    let row = strip + j
    let root = roots
    let left = out
    let right = isPair ? out + columnBytes : out
    for (let i = 0; i < STRIP; i += 4) {
      const a = centred(row, root, shift, factor)
      const b = centred(row + rowBytes, root + 8, shift, factor)
      const c = centred(row + 2 * rowBytes, root + 16, shift, factor)
      const d = centred(row + 3 * rowBytes, root + 24, shift, factor)
      even = f64x2.add(even, f64x2.mul(v128.load64_splat(root), a))
      odd = f64x2.add(odd, f64x2.mul(v128.load64_splat(root, 8), b))
      even = f64x2.add(even, f64x2.mul(v128.load64_splat(root, 16), c))
      odd = f64x2.add(odd, f64x2.mul(v128.load64_splat(root, 24), d))
      evenSquare = f64x2.add(evenSquare, f64x2.mul(a, a))
      oddSquare = f64x2.add(oddSquare, f64x2.mul(b, b))
      evenSquare = f64x2.add(evenSquare, f64x2.mul(c, c))
      oddSquare = f64x2.add(oddSquare, f64x2.mul(d, d))
      if (isSingle) {
        const ab = v128.shuffle<f32>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 4, 1, 5)
        const cd = v128.shuffle<f32>(f32x4.demote_f64x2_zero(c), f32x4.demote_f64x2_zero(d), 0, 4, 1, 5)
        v128.store(right, v128.shuffle<i64>(ab, cd, 1, 3))
        v128.store(left, v128.shuffle<i64>(ab, cd, 0, 2))
        left += 16
        right += 16
      } else {
        v128.store(right, v128.shuffle<i64>(a, b, 1, 3))
        v128.store(right, v128.shuffle<i64>(c, d, 1, 3), 16)
        v128.store(left, v128.shuffle<i64>(a, b, 0, 2))
        v128.store(left, v128.shuffle<i64>(c, d, 0, 2), 16)
        left += 32
        right += 32
      }
      row += 4 * rowBytes
      root += 32
    }
    add(sums + j, f64x2.add(even, odd), isPair)
    add(squares + j, f64x2.add(evenSquare, oddSquare), isPair)
    out += 2 * columnBytes
  }
}

/** A column of `height` numbers, four at a time. */
export function centreColumn(
  height: i32,
  column: usize,
  shift: f64,
  factor: f64,
  roots: usize,
  sum: usize,
  square: usize,
  out: usize,
  isSingle: i32,
): void {
  const less = f64x2.splat(shift)
  const times = f64x2.splat(factor)
  let sums = f64x2.splat(0)
  let squares = f64x2.splat(0)
  for (let i: usize = 0; i < (height as usize) << 3; i += 32) {
    const low = v128.load(roots + i)
    const high = v128.load(roots + i, 16)
    const a = f64x2.mul(f64x2.mul(f64x2.sub(v128.load(column + i), less), times), low)
    const b = f64x2.mul(f64x2.mul(f64x2.sub(v128.load(column + i, 16), less), times), high)
    sums = f64x2.add(sums, f64x2.mul(low, a))
    squares = f64x2.add(squares, f64x2.mul(a, a))
    sums = f64x2.add(sums, f64x2.mul(high, b))
    squares = f64x2.add(squares, f64x2.mul(b, b))
    if (isSingle) {
      const pair = v128.shuffle<i64>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 2)
      v128.store(out + (i >> 1), pair)
    } else {
      v128.store(out + i, a)
      v128.store(out + i, b, 16)
    }
  }
  store<f64>(sum, load<f64>(sum) + (f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)))
  store<f64>(square, load<f64>(square) + (f64x2.extract_lane(squares, 0) + f64x2.extract_lane(squares, 1)))
}
