/**
 * What an iteration of t-SNE does to each point beside repulsion. Points have 2 numbers, or 3 and one that stays 0: each
 * fills a half or the whole of a vector. Arrays are addresses of float32 but for what is returned; neighbours of a point are
 * `starts[i]` to `starts[i + 1]`, whole fours, filled up with the point itself at an affinity of 0.
 */

// @ts-expect-error
function sum(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3)
}

// @ts-expect-error
function indexAt(at: usize): usize {
  return load<i32>(at) as usize
}

/** ln v of v from 1 on: of the exponent, and by artanh of (m − 1) / (m + 1) of the mantissa m, brought between √½ and √2. */
function logarithm(v: v128): v128 {
  const one = f32x4.splat(1)
  let exponent = i32x4.sub(i32x4.shr_s(v, 23), i32x4.splat(127))
  let m = v128.or(v128.and(v, i32x4.splat(0x7fffff)), i32x4.splat(0x3f800000))
  const isHigh = f32x4.gt(m, f32x4.splat(1.4142135))
  m = v128.bitselect(f32x4.mul(m, f32x4.splat(0.5)), m, isHigh)
  exponent = i32x4.sub(exponent, isHigh)
  const z = f32x4.div(f32x4.sub(m, one), f32x4.add(m, one))
  const z2 = f32x4.mul(z, z)
  let series = f32x4.add(f32x4.splat(0.2), f32x4.mul(z2, f32x4.splat(0.14285714)))
  series = f32x4.add(f32x4.splat(0.33333333), f32x4.mul(z2, series))
  series = f32x4.add(one, f32x4.mul(z2, series))
  const whole = f32x4.mul(f32x4.convert_i32x4_s(exponent), f32x4.splat(0.6931472))
  return f32x4.add(whole, f32x4.mul(f32x4.mul(f32x4.splat(2), z), series))
}

/** Σ p / (1 + d²) (yᵢ − yⱼ) over the neighbours, to `out`. */
export function attract2(starts: usize, indices: usize, p: usize, points: usize, out: usize, from: i32, to: i32): void {
  const one = f32x4.splat(1)
  for (let i = from as usize; i < (to as usize); i++) {
    const x = v128.load32_splat(points + (i << 3))
    const y = v128.load32_splat(points + (i << 3) + 4)
    let sx = f32x4.splat(0)
    let sy = f32x4.splat(0)
    const end = indexAt(starts + ((i + 1) << 2)) << 2
    for (let k = indexAt(starts + (i << 2)) << 2; k < end; k += 16) {
      let a = v128.load64_zero(points + (indexAt(indices + k) << 3))
      let b = v128.load64_zero(points + (indexAt(indices + k + 8) << 3))
      a = v128.load64_lane(points + (indexAt(indices + k + 4) << 3), a, 1)
      b = v128.load64_lane(points + (indexAt(indices + k + 12) << 3), b, 1)
      const dx = f32x4.sub(x, v128.shuffle<f32>(a, b, 0, 2, 4, 6))
      const dy = f32x4.sub(y, v128.shuffle<f32>(a, b, 1, 3, 5, 7))
      const square = f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy))
      const w = f32x4.div(v128.load(p + k), f32x4.add(one, square))
      sx = f32x4.add(sx, f32x4.mul(w, dx))
      sy = f32x4.add(sy, f32x4.mul(w, dy))
    }
    store<f32>(out + (i << 3), sum(sx))
    store<f32>(out + (i << 3), sum(sy), 4)
  }
}

export function attract3(starts: usize, indices: usize, p: usize, points: usize, out: usize, from: i32, to: i32): void {
  for (let i = from as usize; i < (to as usize); i++) {
    const own = v128.load(points + (i << 4))
    let total = f32x4.splat(0)
    const end = indexAt(starts + ((i + 1) << 2)) << 2
    for (let k = indexAt(starts + (i << 2)) << 2; k < end; k += 4) {
      const d = f32x4.sub(own, v128.load(points + (indexAt(indices + k) << 4)))
      const w = load<f32>(p + k) / (1 + sum(f32x4.mul(d, d)))
      total = f32x4.add(total, f32x4.mul(f32x4.splat(w), d))
    }
    v128.store(out + (i << 4), total)
  }
}

/** Σ p ln(1 + d²) over all neighbours of these points; `stride`: 2 or 4 numbers of a point. */
export function spreadOut(
  starts: usize,
  indices: usize,
  p: usize,
  points: usize,
  stride: i32,
  from: i32,
  to: i32,
): f64 {
  const shift = stride === 2 ? 3 : 4
  let total: f64 = 0
  for (let i = from as usize; i < (to as usize); i++) {
    const own = points + (i << shift)
    let row = f32x4.splat(0)
    const end = indexAt(starts + ((i + 1) << 2)) << 2
    for (let k = indexAt(starts + (i << 2)) << 2; k < end; k += 16) {
      let squares = f32x4.splat(1)
      for (let d = 0; d < stride; d++) {
        const x = own + ((d as usize) << 2)
        const at = points + ((d as usize) << 2)
        let y = v128.load32_zero(at + (indexAt(indices + k) << shift))
        y = v128.load32_lane(at + (indexAt(indices + k + 4) << shift), y, 1)
        y = v128.load32_lane(at + (indexAt(indices + k + 8) << shift), y, 2)
        y = v128.load32_lane(at + (indexAt(indices + k + 12) << shift), y, 3)
        const apart = f32x4.sub(v128.load32_splat(x), y)
        squares = f32x4.add(squares, f32x4.mul(apart, apart))
      }
      row = f32x4.add(row, f32x4.mul(v128.load(p + k), logarithm(squares)))
    }
    total += sum(row) as f64
  }
  return total
}

/**
 * A step against the gradient, exaggeration · attraction − repulsion / Z, with momentum and gains (Jacobs 1988) as in
 * openTSNE; no point moves by more than `longest`. `vectors`: from which to which vector, two points in each or one.
 * `found`: sums, least and largest of what comes out, three vectors.
 */
export function step(
  points: usize,
  updates: usize,
  gains: usize,
  attraction: usize,
  repulsion: usize,
  from: i32,
  to: i32,
  isPlane: i32,
  exaggeration: f32,
  inverseZ: f32,
  momentum: f32,
  rate: f32,
  longest: f32,
  found: usize,
): void {
  const zero = f32x4.splat(0)
  const pull = f32x4.splat(exaggeration)
  const push = f32x4.splat(inverseZ)
  const keep = f32x4.splat(momentum)
  const speed = f32x4.splat(rate)
  const most = f32x4.splat(longest * longest)
  const length = f32x4.splat(longest)
  let total = zero
  let low = f32x4.splat(Infinity)
  let high = f32x4.splat(-Infinity)
  for (let at = (from as usize) << 4; at < (to as usize) << 4; at += 16) {
    const gradient = f32x4.sub(f32x4.mul(pull, v128.load(attraction + at)), f32x4.mul(push, v128.load(repulsion + at)))
    let update = v128.load(updates + at)
    const isSame = v128.or(
      v128.or(
        v128.and(f32x4.gt(update, zero), f32x4.gt(gradient, zero)),
        v128.and(f32x4.lt(update, zero), f32x4.lt(gradient, zero)),
      ),
      v128.and(f32x4.eq(update, zero), f32x4.eq(gradient, zero)),
    )
    const gain = v128.load(gains + at)
    const damped = f32x4.add(f32x4.mul(gain, f32x4.splat(0.8)), f32x4.splat(0.01))
    const next = v128.bitselect(damped, f32x4.add(gain, f32x4.splat(0.2)), isSame)
    v128.store(gains + at, next)
    update = f32x4.sub(f32x4.mul(keep, update), f32x4.mul(speed, f32x4.mul(next, gradient)))
    let square = f32x4.mul(update, update)
    square = f32x4.add(square, v128.shuffle<f32>(square, square, 1, 0, 3, 2))
    if (!isPlane) square = f32x4.add(square, v128.shuffle<f32>(square, square, 2, 3, 0, 1))
    const shortened = f32x4.div(f32x4.mul(update, length), f32x4.sqrt(square))
    update = v128.bitselect(shortened, update, f32x4.gt(square, most))
    v128.store(updates + at, update)
    const point = f32x4.add(v128.load(points + at), update)
    v128.store(points + at, point)
    total = f32x4.add(total, point)
    low = f32x4.min(low, point)
    high = f32x4.max(high, point)
  }
  v128.store(found, total)
  v128.store(found, low, 16)
  v128.store(found, high, 32)
}

/** Takes a vector off all others. */
export function shift(points: usize, from: i32, to: i32, off: usize): void {
  const less = v128.load(off)
  for (let at = points + ((from as usize) << 4); at < points + ((to as usize) << 4); at += 16)
    v128.store(at, f32x4.sub(v128.load(at), less))
}
