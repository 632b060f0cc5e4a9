/**
 * The loops of src/kernels/tile-products.ts in AssemblyScript with 128-bit vectors: the same operations in the same
 * order, so the same bits. Arrays are addresses of float64 in the imported memory, lists of columns of int32; nothing is
 * allocated. The height of a tile is a multiple of 8.
 */

/** target += Σ cₖ columnₖ of a tile, four columns at a time. */
export function addColumns(
  count: i32,
  height: i32,
  tile: usize,
  list: usize,
  coefficients: usize,
  target: usize,
): void {
  const bytes = (height as usize) << 3
  let k = 0
  for (; k + 4 <= count; k += 4) {
    const at = list + ((k as usize) << 2)
    const c = coefficients + ((k as usize) << 3)
    const x0 = tile + (load<i32>(at) as usize) * bytes
    const x1 = tile + (load<i32>(at, 4) as usize) * bytes
    const x2 = tile + (load<i32>(at, 8) as usize) * bytes
    const x3 = tile + (load<i32>(at, 12) as usize) * bytes
    const c0 = v128.load64_splat(c)
    const c1 = v128.load64_splat(c, 8)
    const c2 = v128.load64_splat(c, 16)
    const c3 = v128.load64_splat(c, 24)
    for (let i: usize = 0; i < bytes; i += 32) {
      let left = f64x2.add(v128.load(target + i), f64x2.mul(c0, v128.load(x0 + i)))
      let right = f64x2.add(v128.load(target + i, 16), f64x2.mul(c0, v128.load(x0 + i, 16)))
      left = f64x2.add(left, f64x2.mul(c1, v128.load(x1 + i)))
      right = f64x2.add(right, f64x2.mul(c1, v128.load(x1 + i, 16)))
      left = f64x2.add(left, f64x2.mul(c2, v128.load(x2 + i)))
      right = f64x2.add(right, f64x2.mul(c2, v128.load(x2 + i, 16)))
      v128.store(target + i, f64x2.add(left, f64x2.mul(c3, v128.load(x3 + i))))
      v128.store(target + i, f64x2.add(right, f64x2.mul(c3, v128.load(x3 + i, 16))), 16)
    }
  }
  for (; k < count; k++) {
    const x = tile + (load<i32>(list + ((k as usize) << 2)) as usize) * bytes
    const c = v128.load64_splat(coefficients + ((k as usize) << 3))
    for (let i: usize = 0; i < bytes; i += 16)
      v128.store(target + i, f64x2.add(v128.load(target + i), f64x2.mul(c, v128.load(x + i))))
  }
}

function accumulate(at: usize, sum: v128): void {
  store<f64>(at, load<f64>(at) + (f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)))
}

/** outₖ += columnₖᵀ v */
export function dotColumns(count: i32, height: i32, tile: usize, list: usize, v: usize, out: usize): void {
  const bytes = (height as usize) << 3
  let k = 0
  for (; k + 4 <= count; k += 4) {
    const at = list + ((k as usize) << 2)
    const x0 = tile + (load<i32>(at) as usize) * bytes
    const x1 = tile + (load<i32>(at, 4) as usize) * bytes
    const x2 = tile + (load<i32>(at, 8) as usize) * bytes
    const x3 = tile + (load<i32>(at, 12) as usize) * bytes
    let s0 = f64x2.splat(0)
    let s1 = f64x2.splat(0)
    let s2 = f64x2.splat(0)
    let s3 = f64x2.splat(0)
    for (let i: usize = 0; i < bytes; i += 32) {
      const low = v128.load(v + i)
      s0 = f64x2.add(s0, f64x2.mul(low, v128.load(x0 + i)))
      s1 = f64x2.add(s1, f64x2.mul(low, v128.load(x1 + i)))
      s2 = f64x2.add(s2, f64x2.mul(low, v128.load(x2 + i)))
      s3 = f64x2.add(s3, f64x2.mul(low, v128.load(x3 + i)))
      const high = v128.load(v + i, 16)
      s0 = f64x2.add(s0, f64x2.mul(high, v128.load(x0 + i, 16)))
      s1 = f64x2.add(s1, f64x2.mul(high, v128.load(x1 + i, 16)))
      s2 = f64x2.add(s2, f64x2.mul(high, v128.load(x2 + i, 16)))
      s3 = f64x2.add(s3, f64x2.mul(high, v128.load(x3 + i, 16)))
    }
    const to = out + ((k as usize) << 3)
    accumulate(to, s0)
    accumulate(to + 8, s1)
    accumulate(to + 16, s2)
    accumulate(to + 24, s3)
  }
  for (; k < count; k++) {
    const x = tile + (load<i32>(list + ((k as usize) << 2)) as usize) * bytes
    let s = f64x2.splat(0)
    for (let i: usize = 0; i < bytes; i += 16) s = f64x2.add(s, f64x2.mul(v128.load(v + i), v128.load(x + i)))
    accumulate(out + ((k as usize) << 3), s)
  }
}

function weigh(bytes: usize, weights: usize, x: usize, z: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(z + i, f64x2.mul(v128.load(weights + i), v128.load(x + i)))
}

/**
 * out[a, b] += Σ wᵢ xᵢₐ xᵢ_b for the columns a of one list and b of another, two by four at a time. Of `first` or more,
 * row a begins at the b before first + a that is a multiple of four; all of it for a `first` below 0. `z` has room for two
 * columns.
 */
export function multiplyColumns(
  rows: i32,
  columns: i32,
  height: i32,
  tile: usize,
  left: usize,
  right: usize,
  weights: usize,
  z: usize,
  out: usize,
  stride: i32,
  first: i32,
): void {
  const bytes = (height as usize) << 3
  const rowBytes = (stride as usize) << 3
  for (let a = 0; a < rows; a += 2) {
    const isPair = a + 1 < rows
    const at = left + ((a as usize) << 2)
    weigh(bytes, weights, tile + (load<i32>(at) as usize) * bytes, z)
    if (isPair) weigh(bytes, weights, tile + (load<i32>(at, 4) as usize) * bytes, z + bytes)
    const to = out + (a as usize) * rowBytes
    let b = first < 0 ? 0 : (first + a) & ~3
    if (isPair) {
      for (; b + 4 <= columns; b += 4) {
        const list = right + ((b as usize) << 2)
        const x0 = tile + (load<i32>(list) as usize) * bytes
        const x1 = tile + (load<i32>(list, 4) as usize) * bytes
        const x2 = tile + (load<i32>(list, 8) as usize) * bytes
        const x3 = tile + (load<i32>(list, 12) as usize) * bytes
        let s0 = f64x2.splat(0)
        let s1 = f64x2.splat(0)
        let s2 = f64x2.splat(0)
        let s3 = f64x2.splat(0)
        let t0 = f64x2.splat(0)
        let t1 = f64x2.splat(0)
        let t2 = f64x2.splat(0)
        let t3 = f64x2.splat(0)
        for (let i: usize = 0; i < bytes; i += 16) {
          const z0 = v128.load(z + i)
          const z1 = v128.load(z + bytes + i)
          const y0 = v128.load(x0 + i)
          s0 = f64x2.add(s0, f64x2.mul(z0, y0))
          t0 = f64x2.add(t0, f64x2.mul(z1, y0))
          const y1 = v128.load(x1 + i)
          s1 = f64x2.add(s1, f64x2.mul(z0, y1))
          t1 = f64x2.add(t1, f64x2.mul(z1, y1))
          const y2 = v128.load(x2 + i)
          s2 = f64x2.add(s2, f64x2.mul(z0, y2))
          t2 = f64x2.add(t2, f64x2.mul(z1, y2))
          const y3 = v128.load(x3 + i)
          s3 = f64x2.add(s3, f64x2.mul(z0, y3))
          t3 = f64x2.add(t3, f64x2.mul(z1, y3))
        }
        const here = to + ((b as usize) << 3)
        accumulate(here, s0)
        accumulate(here + 8, s1)
        accumulate(here + 16, s2)
        accumulate(here + 24, s3)
        const below = here + rowBytes
        accumulate(below, t0)
        accumulate(below + 8, t1)
        accumulate(below + 16, t2)
        accumulate(below + 24, t3)
      }
    }
    const list = right + ((b as usize) << 2)
    const here = to + ((b as usize) << 3)
    dotColumns(columns - b, height, tile, list, z, here)
    if (isPair) dotColumns(columns - b, height, tile, list, z + bytes, here + rowBytes)
  }
}

/** In float32: out[k, i] = cₖ rootsᵢ xᵢₖ */
export function scaleColumns(
  count: i32,
  height: i32,
  tile: usize,
  list: usize,
  coefficients: usize,
  roots: usize,
  out: usize,
): void {
  const bytes = (height as usize) << 3
  for (let k: usize = 0; k < (count as usize); k++, out += bytes >> 1) {
    const x = tile + (load<i32>(list + (k << 2)) as usize) * bytes
    const c = v128.load64_splat(coefficients + (k << 3))
    for (let i: usize = 0; i < bytes; i += 32) {
      const low = f32x4.demote_f64x2_zero(f64x2.mul(c, f64x2.mul(v128.load(roots + i), v128.load(x + i))))
      const high = f32x4.demote_f64x2_zero(f64x2.mul(c, f64x2.mul(v128.load(roots + i, 16), v128.load(x + i, 16))))
      v128.store(out + (i >> 1), v128.shuffle<i64>(low, high, 0, 2))
    }
  }
}
