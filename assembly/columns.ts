/**
 * The loops of src/kernels/column-loops.ts in AssemblyScript with 128-bit vectors: the same operations in the same order,
 * so the same bits. Columns have whole blocks of rows, the last one filled up with zeros. A list holds numbers of columns
 * as 32-bit integers; without one (0) all are meant, in their order.
 */

const BLOCK_BYTES: usize = 64

function columnOf(list: usize, k: i32): usize {
  return (list === 0 ? k : load<i32>(list + ((k as usize) << 2))) as usize
}

/** The four sums of a dot product, by i mod 4, put together. */
function total(even: v128, odd: v128): f64 {
  return (
    f64x2.extract_lane(even, 0) +
    f64x2.extract_lane(even, 1) +
    (f64x2.extract_lane(odd, 0) + f64x2.extract_lane(odd, 1))
  )
}

function dot(a: usize, b: usize, bytes: usize): f64 {
  let even = f64x2.splat(0)
  let odd = f64x2.splat(0)
  for (let i: usize = 0; i < bytes; i += 32) {
    even = f64x2.add(even, f64x2.mul(v128.load(a + i), v128.load(b + i)))
    odd = f64x2.add(odd, f64x2.mul(v128.load(a + i, 16), v128.load(b + i, 16)))
  }
  return total(even, odd)
}

/** out[k] = column(list[k])ᵀ v, four columns at a time: `v` is read once for them. */
export function products(count: i32, list: usize, columns: usize, bytes: usize, v: usize, out: usize): void {
  let k = 0
  for (; k + 4 <= count; k += 4, out += 32) {
    const a = columns + columnOf(list, k) * bytes
    const b = columns + columnOf(list, k + 1) * bytes
    const c = columns + columnOf(list, k + 2) * bytes
    const d = columns + columnOf(list, k + 3) * bytes
    let a0 = f64x2.splat(0)
    let a1 = f64x2.splat(0)
    let b0 = f64x2.splat(0)
    let b1 = f64x2.splat(0)
    let c0 = f64x2.splat(0)
    let c1 = f64x2.splat(0)
    let d0 = f64x2.splat(0)
    let d1 = f64x2.splat(0)
    for (let i: usize = 0; i < bytes; i += 32) {
      const even = v128.load(v + i)
      const odd = v128.load(v + i, 16)
      a0 = f64x2.add(a0, f64x2.mul(v128.load(a + i), even))
      a1 = f64x2.add(a1, f64x2.mul(v128.load(a + i, 16), odd))
      b0 = f64x2.add(b0, f64x2.mul(v128.load(b + i), even))
      b1 = f64x2.add(b1, f64x2.mul(v128.load(b + i, 16), odd))
      c0 = f64x2.add(c0, f64x2.mul(v128.load(c + i), even))
      c1 = f64x2.add(c1, f64x2.mul(v128.load(c + i, 16), odd))
      d0 = f64x2.add(d0, f64x2.mul(v128.load(d + i), even))
      d1 = f64x2.add(d1, f64x2.mul(v128.load(d + i, 16), odd))
    }
    store<f64>(out, total(a0, a1))
    store<f64>(out, total(b0, b1), 8)
    store<f64>(out, total(c0, c1), 16)
    store<f64>(out, total(d0, d1), 24)
  }
  for (; k < count; k++, out += 8) store<f64>(out, dot(columns + columnOf(list, k) * bytes, v, bytes))
}

function subtract(c: f64, column: usize, target: usize, bytes: usize): void {
  const a = f64x2.splat(c)
  const end = target + bytes
  while (target < end) {
    v128.store(target, f64x2.sub(v128.load(target), f64x2.mul(a, v128.load(column))))
    v128.store(target, f64x2.sub(v128.load(target, 16), f64x2.mul(a, v128.load(column, 16))), 16)
    v128.store(target, f64x2.sub(v128.load(target, 32), f64x2.mul(a, v128.load(column, 32))), 32)
    v128.store(target, f64x2.sub(v128.load(target, 48), f64x2.mul(a, v128.load(column, 48))), 48)
    target += BLOCK_BYTES
    column += BLOCK_BYTES
  }
}

/** target −= Σ cₖ column(list[k]). */
export function subtractColumns(
  count: i32,
  list: usize,
  columns: usize,
  bytes: usize,
  coefficients: usize,
  target: usize,
): void {
  for (let k = 0; k < count; k++, coefficients += 8) {
    const c = load<f64>(coefficients)
    if (c !== 0) subtract(c, columns + columnOf(list, k) * bytes, target, bytes)
  }
}

/** A pass over the listed columns: see `columnPass` there. Returns the largest change. */
export function columnPass(
  count: i32,
  list: usize,
  columns: usize,
  bytes: usize,
  squares: usize,
  l1: usize,
  l2: usize,
  lower: usize,
  upper: usize,
  beta: usize,
  residual: usize,
): f64 {
  let largest: f64 = 0
  for (let k = 0; k < count; k++) {
    const at = (k as usize) << 3
    const own = load<f64>(squares + at)
    const curvature = own + load<f64>(l2 + at)
    if (curvature <= 0) continue
    const column = columns + columnOf(list, k) * bytes
    const before = load<f64>(beta + at)
    const pull = dot(column, residual, bytes) + own * before
    const threshold = load<f64>(l1 + at)
    const free = pull > threshold ? pull - threshold : pull < -threshold ? pull + threshold : 0
    const after = min<f64>(max<f64>(free / curvature, load<f64>(lower + at)), load<f64>(upper + at))
    const change = after - before
    if (change === 0) continue
    store<f64>(beta + at, after)
    subtract(change, column, residual, bytes)
    const size = change * change * curvature
    if (size > largest) largest = size
  }
  return largest
}
