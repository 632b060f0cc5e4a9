/**
 * Points to a grid and back by cubic B-splines (as in smooth particle-mesh Ewald sums: Essmann et al. 1995): their density,
 * and of a potential on the grid its value and gradient at the points. Arrays are addresses of float32; points are (x, y).
 */

function sum(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3)
}

/** Weights of the four nodes about a place t from 0 to 1 between the middle two: polynomials of degree 3. */
// @ts-expect-error: decorators are of the language
function weights(t: v128): v128 {
  let w = f32x4(-0.16666667, 0.5, -0.5, 0.16666667)
  w = f32x4.add(f32x4(0.5, -1, 0.5, 0), f32x4.mul(t, w))
  w = f32x4.add(f32x4(-0.5, 0, 0.5, 0), f32x4.mul(t, w))
  return f32x4.add(f32x4(0.16666667, 0.6666667, 0.16666667, 0), f32x4.mul(t, w))
}

/** Of the weights by t. */
// @ts-expect-error
function slopes(t: v128): v128 {
  const w = f32x4.add(f32x4(1, -2, 1, 0), f32x4.mul(t, f32x4(-0.5, 1.5, -1.5, 0.5)))
  return f32x4.add(f32x4(-0.5, 0, 0.5, 0), f32x4.mul(t, w))
}

/** Adds points `from` to `to` to a density [cells, cells], cleared before. `x`, `y`: node 1 of the grid, in units of it. */
export function spread(
  points: usize,
  from: i32,
  to: i32,
  x: f32,
  y: f32,
  inverse: f32,
  density: usize,
  cells: i32,
): void {
  const row = (cells as usize) << 2
  memory.fill(density, 0, row * (cells as usize))
  const end = points + ((to as usize) << 3)
  for (let at = points + ((from as usize) << 3); at < end; at += 8) {
    const u = (load<f32>(at) - x) * inverse
    const v = (load<f32>(at, 4) - y) * inverse
    const i = u as i32,
      j = v as i32
    const wx = weights(f32x4.splat(u - (i as f32)))
    const wy = weights(f32x4.splat(v - (j as f32)))
    let cell = density + row * (j as usize) + ((i as usize) << 2)
    v128.store(cell, f32x4.add(v128.load(cell), f32x4.mul(f32x4.splat(f32x4.extract_lane(wy, 0)), wx)))
    cell += row
    v128.store(cell, f32x4.add(v128.load(cell), f32x4.mul(f32x4.splat(f32x4.extract_lane(wy, 1)), wx)))
    cell += row
    v128.store(cell, f32x4.add(v128.load(cell), f32x4.mul(f32x4.splat(f32x4.extract_lane(wy, 2)), wx)))
    cell += row
    v128.store(cell, f32x4.add(v128.load(cell), f32x4.mul(f32x4.splat(f32x4.extract_lane(wy, 3)), wx)))
  }
}

// @ts-expect-error
/** Of the weights with themselves, 0 to 3 nodes on: Σ wₖ wₖ₊ₘ, polynomials of degree 6. */
function overlaps(t: v128): v128 {
  let a = f32x4(0.5555556, -0.41666667, 0.16666667, -0.027777778)
  a = f32x4.add(f32x4(-1.6666667, 1.25, -0.5, 0.083333333), f32x4.mul(t, a))
  a = f32x4.add(f32x4(1.1666667, -0.9166667, 0.41666667, -0.083333333), f32x4.mul(t, a))
  a = f32x4.add(f32x4(0.44444444, -0.25, 0, 0.027777778), f32x4.mul(t, a))
  a = f32x4.add(f32x4(-0.5, 0.33333333, -0.083333333, 0), f32x4.mul(t, a))
  return f32x4.add(f32x4(0.5, 0.22222222, 0.027777778, 0), f32x4.mul(f32x4.mul(t, t), a))
}

/** Half of their slopes: what the move of one of the two gives. */
function halfSlopes(t: v128): v128 {
  let a = f32x4(1.6666667, -1.25, 0.5, -0.083333333)
  a = f32x4.add(f32x4(-4.1666667, 3.125, -1.25, 0.20833333), f32x4.mul(t, a))
  a = f32x4.add(f32x4(2.3333333, -1.8333333, 0.83333333, -0.16666667), f32x4.mul(t, a))
  a = f32x4.add(f32x4(0.66666667, -0.375, 0, 0.041666667), f32x4.mul(t, a))
  a = f32x4.add(f32x4(-0.5, 0.33333333, -0.083333333, 0), f32x4.mul(t, a))
  return f32x4.mul(t, a)
}

/** The form [4, 4] of two such vectors. */
function form(matrix: usize, a: v128, b: v128): f32 {
  let row = f32x4.mul(f32x4.splat(f32x4.extract_lane(a, 0)), v128.load(matrix))
  row = f32x4.add(row, f32x4.mul(f32x4.splat(f32x4.extract_lane(a, 1)), v128.load(matrix, 16)))
  row = f32x4.add(row, f32x4.mul(f32x4.splat(f32x4.extract_lane(a, 2)), v128.load(matrix, 32)))
  row = f32x4.add(row, f32x4.mul(f32x4.splat(f32x4.extract_lane(a, 3)), v128.load(matrix, 48)))
  return sum(f32x4.mul(row, b))
}

/**
 * −½ of the gradient of the potential at the points, to `out`, and its value, to `values`. Returns the sum of the values.
 * `selves`: what a charge does to itself, [4, 4] by nodes apart, twice where there are two such; it is taken off, or 0 where
 * the points are no charges.
 */
export function gather(
  points: usize,
  from: i32,
  to: i32,
  x: f32,
  y: f32,
  inverse: f32,
  potential: usize,
  cells: i32,
  selves: usize,
  out: usize,
  values: usize,
): f64 {
  const row = (cells as usize) << 2
  const scale: f32 = -0.5 * inverse
  let total: f64 = 0
  for (let k = from; k < to; k++) {
    const at = points + ((k as usize) << 3)
    const u = (load<f32>(at) - x) * inverse
    const v = (load<f32>(at, 4) - y) * inverse
    const i = u as i32,
      j = v as i32
    const tx = f32x4.splat(u - (i as f32)),
      ty = f32x4.splat(v - (j as f32))
    const wx = weights(tx),
      wy = weights(ty),
      sx = slopes(tx),
      sy = slopes(ty)
    let cell = potential + row * (j as usize) + ((i as usize) << 2)
    let line = v128.load(cell)
    let values4 = f32x4.mul(f32x4.splat(f32x4.extract_lane(wy, 0)), line)
    let slopes4 = f32x4.mul(f32x4.splat(f32x4.extract_lane(sy, 0)), line)
    cell += row
    line = v128.load(cell)
    values4 = f32x4.add(values4, f32x4.mul(f32x4.splat(f32x4.extract_lane(wy, 1)), line))
    slopes4 = f32x4.add(slopes4, f32x4.mul(f32x4.splat(f32x4.extract_lane(sy, 1)), line))
    cell += row
    line = v128.load(cell)
    values4 = f32x4.add(values4, f32x4.mul(f32x4.splat(f32x4.extract_lane(wy, 2)), line))
    slopes4 = f32x4.add(slopes4, f32x4.mul(f32x4.splat(f32x4.extract_lane(sy, 2)), line))
    cell += row
    line = v128.load(cell)
    values4 = f32x4.add(values4, f32x4.mul(f32x4.splat(f32x4.extract_lane(wy, 3)), line))
    slopes4 = f32x4.add(slopes4, f32x4.mul(f32x4.splat(f32x4.extract_lane(sy, 3)), line))
    let value = sum(f32x4.mul(values4, wx))
    let fx = sum(f32x4.mul(values4, sx))
    let fy = sum(f32x4.mul(slopes4, wx))
    if (selves) {
      const ax = overlaps(tx)
      const ay = overlaps(ty)
      value -= form(selves, ay, ax)
      fx -= form(selves, ay, halfSlopes(tx))
      fy -= form(selves, halfSlopes(ty), ax)
    }
    const target = out + ((k as usize) << 3)
    store<f32>(target, scale * fx)
    store<f32>(target, scale * fy, 4)
    store<f32>(values + ((k as usize) << 2), value)
    total += value
  }
  return total
}
