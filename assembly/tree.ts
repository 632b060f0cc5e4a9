/**
 * Repulsion by a tree of cells, four or eight in each (Barnes and Hut 1986; van der Maaten 2014). Points are as in descent.ts.
 * A cell has 64 bytes: 8 children (0 for none, a cell, or −1 − a point), the sum of its points and their number, then its
 * centre and half its width; a width of 0 is that of points in one place, which are one from then on.
 */

const SUM: usize = 32
const MASS: usize = 44
const CENTRE: usize = 48
const HALF: usize = 60

/** Points that differ by less than the cells at this depth are in one place. */
const DEEPEST: i32 = 40

// @ts-expect-error
function pointAt(points: usize, i: i32, dims: i32): v128 {
  return dims === 2 ? v128.load64_zero(points + ((i as usize) << 3)) : v128.load(points + ((i as usize) << 4))
}

function addTo(cell: usize, point: v128): void {
  v128.store(cell, f32x4.add(v128.load(cell, SUM), f32x4.replace_lane(point, 3, 1)), SUM)
}

// @ts-expect-error
function childAt(cell: usize, point: v128, dims: i32): i32 {
  return i32x4.bitmask(f32x4.gt(point, v128.load(cell, CENTRE))) & ((1 << dims) - 1)
}

/** A cell of the child `which` of another. */
function openCell(cells: usize, at: i32, parent: usize, which: i32): usize {
  const cell = cells + ((at as usize) << 6)
  memory.fill(cell, 0, 64)
  const half: f32 = load<f32>(parent, HALF) * 0.5
  for (let d = 0; d < 3; d++) {
    const middle = load<f32>(parent + CENTRE + ((d as usize) << 2))
    store<f32>(cell + CENTRE + ((d as usize) << 2), middle + ((which >> d) & 1 ? half : -half))
  }
  store<f32>(cell, half, HALF)
  return cell
}

/** Cells of all points, the first of which is at `centre`; returns how many, or 0 where there is no room for so many. */
export function build(
  points: usize,
  count: i32,
  dims: i32,
  x: f32,
  y: f32,
  z: f32,
  half: f32,
  cells: usize,
  room: i32,
): i32 {
  memory.fill(cells, 0, 64)
  store<f32>(cells, x, CENTRE)
  store<f32>(cells, y, CENTRE + 4)
  store<f32>(cells, z, CENTRE + 8)
  store<f32>(cells, half, HALF)
  let used = 1
  for (let i = 0; i < count; i++) {
    const point = pointAt(points, i, dims)
    let cell = cells
    for (let depth = 0; ; depth++) {
      addTo(cell, point)
      if (load<f32>(cell, HALF) === 0) break
      const which = childAt(cell, point, dims)
      const slot = cell + ((which as usize) << 2)
      const child = load<i32>(slot)
      if (child === 0) {
        store<i32>(slot, -1 - i)
        break
      }
      if (child > 0) {
        cell = cells + ((child as usize) << 6)
        continue
      }
      if (used === room) return 0
      store<i32>(slot, used)
      const below = openCell(cells, used++, cell, which)
      const other = -1 - child
      const there = pointAt(points, other, dims)
      addTo(below, there)
      if (depth === DEEPEST || i32x4.bitmask(f32x4.ne(there, point)) === 0) store<f32>(below, 0, HALF)
      else store<i32>(below + ((childAt(below, there, dims) as usize) << 2), -1 - other)
      cell = below
    }
  }
  // Sums become means.
  for (let c = 0; c < used; c++) {
    const cell = cells + ((c as usize) << 6)
    const mass = load<f32>(cell, MASS)
    v128.store(cell, f32x4.div(v128.load(cell, SUM), f32x4.splat(mass)), SUM)
    store<f32>(cell, mass, MASS)
  }
  return used
}

// @ts-expect-error
function squareOf(d: v128): f32 {
  const s = f32x4.mul(d, d)
  return f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1) + f32x4.extract_lane(s, 2)
}

/**
 * Of points `from` to `to` of `targets`: Σ (yᵢ − yⱼ) / (1 + d²)² to `out` and Σ 1 / (1 + d²) to `values`, over all points of
 * the tree but, where they are `isCharge`, itself. A cell narrower than `theta` times its distance is one point. Returns the sum of the values.
 */
export function repel(
  targets: usize,
  from: i32,
  to: i32,
  dims: i32,
  points: usize,
  cells: usize,
  theta: f32,
  stack: usize,
  out: usize,
  values: usize,
  isCharge: i32,
): f64 {
  const wide: f32 = 4 / (theta * theta)
  let total: f64 = 0
  for (let i = from; i < to; i++) {
    const own = f32x4.replace_lane(pointAt(targets, i, dims), 3, 0)
    let force = f32x4.splat(0)
    // Itself is among them.
    let value: f32 = isCharge ? -1 : 0
    let top = stack
    store<usize>(top, cells)
    top += 4
    while (top > stack) {
      top -= 4
      const cell = load<u32>(top) as usize
      const d = f32x4.replace_lane(f32x4.sub(own, v128.load(cell, SUM)), 3, 0)
      const square = squareOf(d)
      const half = load<f32>(cell, HALF)
      if (wide * half * half < square || half === 0) {
        const q: f32 = 1 / (1 + square)
        const mass = load<f32>(cell, MASS) * q
        value += mass
        force = f32x4.add(force, f32x4.mul(f32x4.splat(mass * q), d))
        continue
      }
      for (let c = 0; c < 1 << dims; c++) {
        const child = load<i32>(cell + ((c as usize) << 2))
        if (child > 0) {
          store<u32>(top, (cells + ((child as usize) << 6)) as u32)
          top += 4
        } else if (child < 0) {
          const apart = f32x4.replace_lane(f32x4.sub(own, pointAt(points, -1 - child, dims)), 3, 0)
          const q: f32 = 1 / (1 + squareOf(apart))
          value += q
          force = f32x4.add(force, f32x4.mul(f32x4.splat(q * q), apart))
        }
      }
    }
    if (dims === 2) v128.store64_lane(out + ((i as usize) << 3), force, 0)
    else v128.store(out + ((i as usize) << 4), force)
    store<f32>(values + ((i as usize) << 2), value)
    total += value as f64
  }
  return total
}
