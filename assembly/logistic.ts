/**
 * The loops of src/kernels/logistic-loops.ts in AssemblyScript with 128-bit vectors: the same operations in the same order,
 * so the same bits. Sums are compensated (Kahan 1965). Arrays are addresses of float64 in the imported memory; the count is
 * even.
 */

/** ln 2 = HIGH + LOW, where k · HIGH is exact for whole k up to 2²⁰ (fdlibm, e_exp.c). */
const LN2_HIGH: f64 = 0.6931471803691238
const LN2_LOW: f64 = 1.9082149292705877e-10
/** 1.5 · 2⁵²: what is added to it is rounded to a whole number, which stands in its low bits. */
const ROUNDER: f64 = 6755399441055744
const FARTHEST: f64 = 708

/** a · b + c */
function step(a: v128, b: v128, c: f64): v128 {
  return f64x2.add(f64x2.mul(a, b), f64x2.splat(c))
}

/** Slopes ∂f/∂η of f = log(1 + e^η) − yη; returns Σ ω f. */
export function respond(count: i32, y: usize, eta: usize, shares: usize, slopes: usize): f64 {
  const one = f64x2.splat(1)
  let sum = f64x2.splat(0)
  let excess = f64x2.splat(0)
  const bytes = (count as usize) << 3
  for (let i: usize = 0; i < bytes; i += 16) {
    const sign = f64x2.sub(one, f64x2.mul(f64x2.splat(2), v128.load(y + i)))
    const away = f64x2.mul(sign, v128.load(eta + i))
    const far = f64x2.min(f64x2.abs(away), f64x2.splat(FARTHEST))
    const rounded = step(far, f64x2.splat(Math.LOG2E), ROUNDER)
    const k = f64x2.sub(rounded, f64x2.splat(ROUNDER))
    const r = f64x2.add(f64x2.sub(f64x2.mul(k, f64x2.splat(LN2_HIGH)), far), f64x2.mul(k, f64x2.splat(LN2_LOW)))
    let power = step(f64x2.splat(1.0 / 6227020800), r, 1.0 / 479001600)
    power = step(power, r, 1.0 / 39916800)
    power = step(power, r, 1.0 / 3628800)
    power = step(power, r, 1.0 / 362880)
    power = step(power, r, 1.0 / 40320)
    power = step(power, r, 1.0 / 5040)
    power = step(power, r, 1.0 / 720)
    power = step(power, r, 1.0 / 120)
    power = step(power, r, 1.0 / 24)
    power = step(power, r, 1.0 / 6)
    power = step(power, r, 0.5)
    power = step(power, r, 1)
    power = step(power, r, 1)
    const scale = i64x2.shl(i64x2.sub(i64x2.splat(1023), rounded), 52)
    const small = f64x2.mul(power, scale)
    const wrong = f64x2.div(v128.bitselect(one, small, f64x2.ge(away, f64x2.splat(0))), f64x2.add(one, small))
    v128.store(slopes + i, f64x2.mul(sign, wrong))
    const z = f64x2.div(small, f64x2.add(f64x2.splat(2), small))
    const w = f64x2.mul(z, z)
    let series = step(f64x2.splat(1.0 / 33), w, 1.0 / 31)
    series = step(series, w, 1.0 / 29)
    series = step(series, w, 1.0 / 27)
    series = step(series, w, 1.0 / 25)
    series = step(series, w, 1.0 / 23)
    series = step(series, w, 1.0 / 21)
    series = step(series, w, 1.0 / 19)
    series = step(series, w, 1.0 / 17)
    series = step(series, w, 1.0 / 15)
    series = step(series, w, 1.0 / 13)
    series = step(series, w, 1.0 / 11)
    series = step(series, w, 1.0 / 9)
    series = step(series, w, 1.0 / 7)
    series = step(series, w, 1.0 / 5)
    series = step(series, w, 1.0 / 3)
    series = step(series, w, 1)
    const loss = f64x2.add(f64x2.max(away, f64x2.splat(0)), f64x2.mul(f64x2.mul(f64x2.splat(2), z), series))
    const term = f64x2.sub(f64x2.mul(v128.load(shares + i), loss), excess)
    const before = sum
    sum = f64x2.add(before, term)
    excess = f64x2.sub(f64x2.sub(sum, before), term)
  }
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)
}

/** From here to twice this, numbers are a power of two times one between √½ and √2, to the high half of their bits. */
const ROOT: i64 = 0x3fe6a09e00000000

/** x log x for 0 ≤ x ≤ 1 */
function entropy(x: v128): v128 {
  const e = i64x2.shr_s(i64x2.sub(x, i64x2.splat(ROOT)), 52)
  const m = i64x2.sub(x, i64x2.shl(e, 52))
  const k = f64x2.sub(i64x2.add(e, f64x2.splat(ROUNDER)), f64x2.splat(ROUNDER))
  const z = f64x2.div(f64x2.sub(m, f64x2.splat(1)), f64x2.add(m, f64x2.splat(1)))
  const w = f64x2.mul(z, z)
  let series = step(f64x2.splat(1.0 / 23), w, 1.0 / 21)
  series = step(series, w, 1.0 / 19)
  series = step(series, w, 1.0 / 17)
  series = step(series, w, 1.0 / 15)
  series = step(series, w, 1.0 / 13)
  series = step(series, w, 1.0 / 11)
  series = step(series, w, 1.0 / 9)
  series = step(series, w, 1.0 / 7)
  series = step(series, w, 1.0 / 5)
  series = step(series, w, 1.0 / 3)
  series = step(series, w, 1)
  const low = f64x2.add(f64x2.mul(k, f64x2.splat(LN2_LOW)), f64x2.mul(f64x2.mul(f64x2.splat(2), z), series))
  return f64x2.mul(x, f64x2.add(f64x2.mul(k, f64x2.splat(LN2_HIGH)), low))
}

/** Moves v into the domain of f*, in place; returns Σ ω f*(v). */
export function conjugate(count: i32, y: usize, v: usize, shares: usize): f64 {
  const one = f64x2.splat(1)
  let sum = f64x2.splat(0)
  let excess = f64x2.splat(0)
  const bytes = (count as usize) << 3
  for (let i: usize = 0; i < bytes; i += 16) {
    const sign = f64x2.sub(one, f64x2.mul(f64x2.splat(2), v128.load(y + i)))
    const distance = f64x2.min(f64x2.max(f64x2.mul(sign, v128.load(v + i)), f64x2.splat(0)), one)
    v128.store(v + i, f64x2.mul(sign, distance))
    const value = f64x2.add(entropy(distance), entropy(f64x2.sub(one, distance)))
    const term = f64x2.sub(f64x2.mul(v128.load(shares + i), value), excess)
    const before = sum
    sum = f64x2.add(before, term)
    excess = f64x2.sub(f64x2.sub(sum, before), term)
  }
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)
}
