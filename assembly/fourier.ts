/**
 * Fourier transforms of 8 columns or rows side by side, so that every step works on whole vectors. Arrays are addresses of
 * float32. A complex element of 8 transforms is 64 bytes: 8 real parts, then 8 imaginary ones.
 */

/** Bytes from the real parts to the imaginary ones. */
export const HALF: usize = 32

// @ts-expect-error: decorators are of the language
function splat(at: usize): v128 {
  return v128.load32_splat(at)
}

/** z w, with w = (c, s). */
// @ts-expect-error
function storeTurned(to: usize, re: v128, im: v128, c: v128, s: v128): void {
  v128.store(to, f32x4.sub(f32x4.mul(re, c), f32x4.mul(im, s)))
  v128.store(to + HALF, f32x4.add(f32x4.mul(re, s), f32x4.mul(im, c)))
}

// @ts-expect-error
export function storePlain(to: usize, re: v128, im: v128): void {
  v128.store(to, re)
  v128.store(to + HALF, im)
}

/** One step of Stockham's self-sorting transform (Van Loan 1992, section 1.7), of radix 4. */
function pass4(n: i32, s: i32, from: usize, to: usize, table: usize, step: i32): void {
  const m = n >> 2
  const apart = ((s * m) as usize) << 6
  const beside = (s as usize) << 6
  for (let p = 0; p < m; p++) {
    const w = table + (((p * step) as usize) << 3)
    const w2 = table + (((2 * p * step) as usize) << 3)
    const w3 = table + (((3 * p * step) as usize) << 3)
    const c1 = splat(w),
      s1 = splat(w + 4),
      c2 = splat(w2),
      s2 = splat(w2 + 4),
      c3 = splat(w3),
      s3 = splat(w3 + 4)
    let a = from + (((s * p) as usize) << 6)
    let b = to + (((4 * s * p) as usize) << 6)
    for (let q = 0; q < s; q++, a += 64, b += 64) {
      for (let o: usize = 0; o < HALF; o += 16) {
        const x0 = a + o,
          x1 = x0 + apart,
          x2 = x1 + apart,
          x3 = x2 + apart
        const r0 = v128.load(x0),
          i0 = v128.load(x0 + HALF),
          r1 = v128.load(x1),
          i1 = v128.load(x1 + HALF)
        const r2 = v128.load(x2),
          i2 = v128.load(x2 + HALF),
          r3 = v128.load(x3),
          i3 = v128.load(x3 + HALF)
        const tr0 = f32x4.add(r0, r2),
          ti0 = f32x4.add(i0, i2),
          tr1 = f32x4.sub(r0, r2),
          ti1 = f32x4.sub(i0, i2)
        const tr2 = f32x4.add(r1, r3),
          ti2 = f32x4.add(i1, i3),
          tr3 = f32x4.sub(i1, i3),
          ti3 = f32x4.sub(r3, r1)
        const y = b + o
        storePlain(y, f32x4.add(tr0, tr2), f32x4.add(ti0, ti2))
        storeTurned(y + beside, f32x4.add(tr1, tr3), f32x4.add(ti1, ti3), c1, s1)
        storeTurned(y + 2 * beside, f32x4.sub(tr0, tr2), f32x4.sub(ti0, ti2), c2, s2)
        storeTurned(y + 3 * beside, f32x4.sub(tr1, tr3), f32x4.sub(ti1, ti3), c3, s3)
      }
    }
  }
}

const SIN60: f32 = 0.8660254037844386

function pass3(n: i32, s: i32, from: usize, to: usize, table: usize, step: i32): void {
  const m = n / 3
  const apart = ((s * m) as usize) << 6
  const beside = (s as usize) << 6
  const half = f32x4.splat(0.5)
  const sin = f32x4.splat(SIN60)
  for (let p = 0; p < m; p++) {
    const w = table + (((p * step) as usize) << 3)
    const w2 = table + (((2 * p * step) as usize) << 3)
    const c1 = splat(w),
      s1 = splat(w + 4),
      c2 = splat(w2),
      s2 = splat(w2 + 4)
    let a = from + (((s * p) as usize) << 6)
    let b = to + (((3 * s * p) as usize) << 6)
    for (let q = 0; q < s; q++, a += 64, b += 64) {
      for (let o: usize = 0; o < HALF; o += 16) {
        const x0 = a + o,
          x1 = x0 + apart,
          x2 = x1 + apart
        const r0 = v128.load(x0),
          i0 = v128.load(x0 + HALF),
          r1 = v128.load(x1),
          i1 = v128.load(x1 + HALF)
        const r2 = v128.load(x2),
          i2 = v128.load(x2 + HALF)
        const sr = f32x4.add(r1, r2),
          si = f32x4.add(i1, i2)
        const dr = f32x4.mul(sin, f32x4.sub(i1, i2)),
          di = f32x4.mul(sin, f32x4.sub(r2, r1))
        const mr = f32x4.sub(r0, f32x4.mul(half, sr)),
          mi = f32x4.sub(i0, f32x4.mul(half, si))
        const y = b + o
        storePlain(y, f32x4.add(r0, sr), f32x4.add(i0, si))
        storeTurned(y + beside, f32x4.add(mr, dr), f32x4.add(mi, di), c1, s1)
        storeTurned(y + 2 * beside, f32x4.sub(mr, dr), f32x4.sub(mi, di), c2, s2)
      }
    }
  }
}

function pass2(n: i32, s: i32, from: usize, to: usize, table: usize, step: i32): void {
  const m = n >> 1
  const apart = ((s * m) as usize) << 6
  const beside = (s as usize) << 6
  for (let p = 0; p < m; p++) {
    const w = table + (((p * step) as usize) << 3)
    const c1 = splat(w),
      s1 = splat(w + 4)
    let a = from + (((s * p) as usize) << 6)
    let b = to + (((2 * s * p) as usize) << 6)
    for (let q = 0; q < s; q++, a += 64, b += 64) {
      for (let o: usize = 0; o < HALF; o += 16) {
        const x0 = a + o,
          x1 = x0 + apart
        const r0 = v128.load(x0),
          i0 = v128.load(x0 + HALF),
          r1 = v128.load(x1),
          i1 = v128.load(x1 + HALF)
        storePlain(b + o, f32x4.add(r0, r1), f32x4.add(i0, i1))
        storeTurned(b + o + beside, f32x4.sub(r0, r1), f32x4.sub(i0, i1), c1, s1)
      }
    }
  }
}

/** Forward, of a length 2^a 3^b; `table`: (cos, −sin) of 2πk / size. Returns which of the two buffers it ended in. */
export function transform(size: i32, from: usize, to: usize, table: usize): usize {
  let n = size,
    s = 1
  while (n > 1) {
    let radix = 3
    if ((n & 3) === 0) {
      pass4(n, s, from, to, table, size / n)
      radix = 4
    } else if ((n & 1) === 0) {
      pass2(n, s, from, to, table, size / n)
      radix = 2
    } else pass3(n, s, from, to, table, size / n)
    n /= radix
    s *= radix
    const other = from
    from = to
    to = other
  }
  return from
}

/** Elements of 8 transforms from `first` on. */
// @ts-expect-error
export function clear(buffer: usize, first: i32, size: i32): void {
  memory.fill(buffer + ((first as usize) << 6), 0, ((size - first) as usize) << 6)
}
