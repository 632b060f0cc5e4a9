/**
 * The loops of src/kernels/dense-loops.ts in AssemblyScript with 128-bit vectors: the same operations in the same order,
 * so the same bits. Arrays are addresses of float64 in the imported memory, from which nothing is allocated.
 */

/** TINY there. */
const TINY: f64 = 1e-290

/** Rows of the right factor that are packed at a time: 16 kB of the cache. */
const DEPTH: i32 = 256

/** Householder's reduction: see `tridiagonalize` there. */
export function tridiagonalize(
  n: i32,
  stride: i32,
  a: usize,
  diagonal: usize,
  off: usize,
  tau: usize,
  u: usize,
  v: usize,
  w: usize,
  p: usize,
): void {
  const rowBytes = (stride as usize) * 8
  memory.fill(v, 0, rowBytes)
  memory.fill(w, 0, rowBytes)
  for (let i = n - 1; i >= 0; i--) {
    const at = (i as usize) * 8
    const row = a + (i as usize) * rowBytes
    const vi = load<f64>(v + at)
    const wi = load<f64>(w + at)
    for (let k: usize = 0; k <= at; k += 8)
      store<f64>(row + k, load<f64>(row + k) - (vi * load<f64>(w + k) + wi * load<f64>(v + k)))
    store<f64>(diagonal + at, load<f64>(row + at))
    store<f64>(row + at, 0)
    store<f64>(v + at, 0)
    store<f64>(w + at, 0)
    if (i === 0) break
    reflect(row, at - 8, off + at - 8, tau + at)
    memory.fill(u, 0, rowBytes)
    memory.copy(u, row, at)
    updateAndMultiply(i, rowBytes, a, u, v, w, p)
    const t = load<f64>(tau + at)
    let dot: f64 = 0
    for (let k: usize = 0; k < at; k += 8) dot += load<f64>(p + k) * load<f64>(u + k)
    const half = 0.5 * t * t * dot
    for (let k: usize = 0; k < at; k += 8) {
      store<f64>(w + k, t * load<f64>(p + k) - half * load<f64>(u + k))
      store<f64>(v + k, load<f64>(u + k))
    }
  }
}

function reflect(x: usize, last: usize, off: usize, tau: usize): void {
  let square: f64 = 0
  for (let k: usize = 0; k < last; k += 8) square += load<f64>(x + k) * load<f64>(x + k)
  const alpha = load<f64>(x + last)
  if (square <= TINY) {
    store<f64>(off, alpha)
    store<f64>(tau, 0)
    memory.fill(x, 0, last + 8)
    return
  }
  const norm = sqrt<f64>(alpha * alpha + square)
  const beta = alpha > 0 ? -norm : norm
  store<f64>(off, beta)
  store<f64>(tau, (beta - alpha) / beta)
  const scale = 1 / (alpha - beta)
  for (let k: usize = 0; k < last; k += 8) store<f64>(x + k, load<f64>(x + k) * scale)
  store<f64>(x + last, 1)
}

/** Two rows and two columns at a time. */
function updateAndMultiply(i: i32, rowBytes: usize, a: usize, u: usize, v: usize, w: usize, p: usize): void {
  const end = (i as usize) * 8
  let r0 = a
  for (let b: usize = 0; b < end; b += 16, r0 += 2 * rowBytes) {
    const r1 = r0 + rowBytes
    const v0 = load<f64>(v + b)
    const v1 = load<f64>(v + b, 8)
    const w0 = load<f64>(w + b)
    const w1 = load<f64>(w + b, 8)
    const u0 = load<f64>(u + b)
    const u1 = load<f64>(u + b, 8)
    const vv0 = f64x2.splat(v0)
    const vv1 = f64x2.splat(v1)
    const ww0 = f64x2.splat(w0)
    const ww1 = f64x2.splat(w1)
    const uu0 = f64x2.splat(u0)
    const uu1 = f64x2.splat(u1)
    let s0 = f64x2.splat(0)
    let s1 = f64x2.splat(0)
    for (let k: usize = 0; k < b; k += 16) {
      const vk = v128.load(v + k)
      const wk = v128.load(w + k)
      const uk = v128.load(u + k)
      const x = f64x2.sub(v128.load(r0 + k), f64x2.add(f64x2.mul(vv0, wk), f64x2.mul(ww0, vk)))
      const y = f64x2.sub(v128.load(r1 + k), f64x2.add(f64x2.mul(vv1, wk), f64x2.mul(ww1, vk)))
      v128.store(r0 + k, x)
      v128.store(r1 + k, y)
      s0 = f64x2.add(s0, f64x2.mul(x, uk))
      s1 = f64x2.add(s1, f64x2.mul(y, uk))
      v128.store(p + k, f64x2.add(f64x2.add(v128.load(p + k), f64x2.mul(x, uu0)), f64x2.mul(y, uu1)))
    }
    const top = load<f64>(r0 + b) - (v0 * w0 + w0 * v0)
    const left = load<f64>(r1 + b) - (v1 * w0 + w1 * v0)
    const bottom = load<f64>(r1 + b, 8) - (v1 * w1 + w1 * v1)
    store<f64>(r0 + b, top)
    store<f64>(r1 + b, left)
    store<f64>(r1 + b, bottom, 8)
    store<f64>(p + b, f64x2.extract_lane(s0, 0) + f64x2.extract_lane(s0, 1) + top * u0 + left * u1)
    store<f64>(p + b, f64x2.extract_lane(s1, 0) + f64x2.extract_lane(s1, 1) + left * u0 + bottom * u1, 8)
  }
}

/** C += A B of [m, k] and [k, n]: eight columns at a time, packed into `scratch`, two rows at a time. */
export function addProduct(
  m: i32,
  k: i32,
  n: i32,
  a: usize,
  aStride: i32,
  b: usize,
  bStride: i32,
  c: usize,
  cStride: i32,
  scratch: usize,
): void {
  const aBytes = (aStride as usize) * 8
  const bBytes = (bStride as usize) * 8
  const cBytes = (cStride as usize) * 8
  for (let from = 0; from < k; from += DEPTH) {
    const depth = min<i32>(DEPTH, k - from)
    const begin = b + (from as usize) * bBytes
    for (let j: usize = 0; j < (n as usize) * 8; j += 64) {
      let source = begin + j
      for (let to = scratch; to < scratch + (depth as usize) * 64; to += 64, source += bBytes) {
        v128.store(to, v128.load(source))
        v128.store(to, v128.load(source, 16), 16)
        v128.store(to, v128.load(source, 32), 32)
        v128.store(to, v128.load(source, 48), 48)
      }
      let left = a + (from as usize) * 8
      let target = c + j
      for (let i = 0; i + 1 < m; i += 2, left += 2 * aBytes, target += 2 * cBytes)
        addTwo(depth, left, left + aBytes, scratch, target, target + cBytes)
      if (m & 1) addOne(depth, left, scratch, target)
    }
  }
}

function addTwo(depth: i32, a0: usize, a1: usize, b: usize, c0: usize, c1: usize): void {
  let s00 = v128.load(c0)
  let s01 = v128.load(c0, 16)
  let s02 = v128.load(c0, 32)
  let s03 = v128.load(c0, 48)
  let s10 = v128.load(c1)
  let s11 = v128.load(c1, 16)
  let s12 = v128.load(c1, 32)
  let s13 = v128.load(c1, 48)
  const end = b + (depth as usize) * 64
  for (; b < end; b += 64, a0 += 8, a1 += 8) {
    const x = v128.load64_splat(a0)
    const y = v128.load64_splat(a1)
    const b0 = v128.load(b)
    const b1 = v128.load(b, 16)
    const b2 = v128.load(b, 32)
    const b3 = v128.load(b, 48)
    s00 = f64x2.add(s00, f64x2.mul(x, b0))
    s01 = f64x2.add(s01, f64x2.mul(x, b1))
    s02 = f64x2.add(s02, f64x2.mul(x, b2))
    s03 = f64x2.add(s03, f64x2.mul(x, b3))
    s10 = f64x2.add(s10, f64x2.mul(y, b0))
    s11 = f64x2.add(s11, f64x2.mul(y, b1))
    s12 = f64x2.add(s12, f64x2.mul(y, b2))
    s13 = f64x2.add(s13, f64x2.mul(y, b3))
  }
  v128.store(c0, s00)
  v128.store(c0, s01, 16)
  v128.store(c0, s02, 32)
  v128.store(c0, s03, 48)
  v128.store(c1, s10)
  v128.store(c1, s11, 16)
  v128.store(c1, s12, 32)
  v128.store(c1, s13, 48)
}

function addOne(depth: i32, a: usize, b: usize, c: usize): void {
  let s0 = v128.load(c)
  let s1 = v128.load(c, 16)
  let s2 = v128.load(c, 32)
  let s3 = v128.load(c, 48)
  const end = b + (depth as usize) * 64
  for (; b < end; b += 64, a += 8) {
    const x = v128.load64_splat(a)
    s0 = f64x2.add(s0, f64x2.mul(x, v128.load(b)))
    s1 = f64x2.add(s1, f64x2.mul(x, v128.load(b, 16)))
    s2 = f64x2.add(s2, f64x2.mul(x, v128.load(b, 32)))
    s3 = f64x2.add(s3, f64x2.mul(x, v128.load(b, 48)))
  }
  v128.store(c, s0)
  v128.store(c, s1, 16)
  v128.store(c, s2, 32)
  v128.store(c, s3, 48)
}
