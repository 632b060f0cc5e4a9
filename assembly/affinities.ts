/**
 * Weights exp(−β d) of neighbours at square distances d, with β such that their entropy is that of so many equal ones
 * (van der Maaten and Hinton 2008, section 2). Arrays are addresses of float64.
 */

/** exp of numbers up to 0, to the last digit or two: 2ⁿ times the series of what is left. 0 from −700 down. */
function exponential(x: v128): v128 {
  const bounded = f64x2.max(x, f64x2.splat(-700))
  const n = f64x2.nearest(f64x2.mul(bounded, f64x2.splat(1.4426950408889634)))
  let r = f64x2.sub(bounded, f64x2.mul(n, f64x2.splat(0.6931471803691238)))
  r = f64x2.sub(r, f64x2.mul(n, f64x2.splat(1.9082149292705877e-10)))
  // 1/k! from 12 down.
  let s = f64x2.splat(2.08767569878681e-9)
  s = f64x2.add(f64x2.splat(2.505210838544172e-8), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(2.755731922398589e-7), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(2.755731922398589e-6), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(2.48015873015873e-5), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(1.984126984126984e-4), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(1.388888888888889e-3), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(8.333333333333333e-3), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(4.1666666666666664e-2), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(0.16666666666666666), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(0.5), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(1), f64x2.mul(s, r))
  s = f64x2.add(f64x2.splat(1), f64x2.mul(s, r))
  const exponent = i64x2.extend_low_i32x4_s(i32x4.trunc_sat_f64x2_s_zero(n))
  const found = f64x2.mul(s, i64x2.shl(i64x2.add(exponent, i64x2.splat(1023)), 52))
  return v128.and(found, f64x2.gt(x, f64x2.splat(-700)))
}

/** ln v of v from 1 on: of its exponent, and by artanh of (m − 1) / (m + 1) of what m is left, between √½ and √2. */
function logarithm(v: f64): f64 {
  const bits = reinterpret<i64>(v)
  let exponent = ((bits >> 52) as f64) - 1023
  let m = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000)
  if (m > 1.4142135623730951) {
    m *= 0.5
    exponent += 1
  }
  const z = (m - 1) / (m + 1)
  const z2 = z * z
  let series: f64 = 0
  for (let k: f64 = 23; k > 0; k -= 2) series = series * z2 + 1 / k
  return exponent * 0.6931471805599453 + 2 * z * series
}

// @ts-expect-error: decorators are of the language
function sum(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1)
}

/** Tries for one row: Newton's method for ln β, by the middle of the bracket where it leaves that. */
const TRIES: i32 = 100

/** What the entropy may miss. */
const CLOSE: f64 = 1e-9

/** A factor that is tried while there is a bound on one side alone. */
const FAR: f64 = 8

/**
 * Rows `from` to `to` of `distances` [rows, width], each filled up to a whole number of pairs with Infinity, to weights with
 * a sum of 1, in place. `entropy` is asked; where no β gives it, as with many equal ones, the nearest share the weight.
 * `missed`: by how much the entropy of each row does.
 */
export function weigh(distances: usize, from: i32, to: i32, width: i32, entropy: f64, missed: usize): void {
  const bytes = (width as usize) << 3
  const infinite = f64x2.splat(Infinity)
  const zero = f64x2.splat(0)
  for (let i = from; i < to; i++) {
    const row = distances + bytes * (i as usize)
    // From the nearest on: a common factor of all weights is none of the result.
    let least = infinite
    for (let k: usize = 0; k < bytes; k += 16) least = f64x2.min(least, v128.load(row + k))
    least = f64x2.splat(Math.min(f64x2.extract_lane(least, 0), f64x2.extract_lane(least, 1)))
    let mean = zero
    for (let k: usize = 0; k < bytes; k += 16) {
      const d = f64x2.sub(v128.load(row + k), least)
      v128.store(row + k, d)
      mean = f64x2.add(mean, v128.and(d, f64x2.lt(d, infinite)))
    }
    const spread = sum(mean)
    let low: f64 = 0
    let high: f64 = Infinity
    let beta: f64 = spread > 0 ? (width as f64) / spread : 1
    let miss: f64 = 0
    let weights = zero
    for (let tries = 0; ; tries++) {
      const factor = f64x2.splat(-beta)
      let firsts = zero
      let seconds = zero
      weights = zero
      for (let k: usize = 0; k < bytes; k += 16) {
        const d = v128.load(row + k)
        const isThere = f64x2.lt(d, infinite)
        const w = v128.and(exponential(f64x2.mul(factor, d)), isThere)
        const wd = f64x2.mul(w, v128.and(d, isThere))
        weights = f64x2.add(weights, w)
        firsts = f64x2.add(firsts, wd)
        seconds = f64x2.add(seconds, f64x2.mul(wd, v128.and(d, isThere)))
      }
      const total = sum(weights)
      const first = sum(firsts) / total
      miss = logarithm(total) + beta * first - entropy
      if (Math.abs(miss) <= CLOSE || tries === TRIES) break
      if (miss > 0) low = beta
      else high = beta
      // dH / d ln β = −β² times the variance of d.
      const change = miss / (beta * beta * (sum(seconds) / total - first * first))
      let next = beta * (change > 0 ? 1 / oneOf(-change) : oneOf(change))
      if (!(next > low && next < high)) {
        if (low === 0) next = high / FAR
        else if (high === Infinity) next = low * FAR
        else next = Math.sqrt(low * high)
      }
      if (!(next > 0 && next < Infinity)) break
      beta = next
    }
    const factor = f64x2.splat(-beta)
    const share = f64x2.splat(1 / sum(weights))
    for (let k: usize = 0; k < bytes; k += 16) {
      const d = v128.load(row + k)
      const w = v128.and(exponential(f64x2.mul(factor, d)), f64x2.lt(d, infinite))
      v128.store(row + k, f64x2.mul(share, w))
    }
    store<f64>(missed + ((i as usize) << 3), miss)
  }
}

// @ts-expect-error
function oneOf(x: f64): f64 {
  return f64x2.extract_lane(exponential(f64x2.splat(x)), 0)
}
