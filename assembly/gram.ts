/**
 * The loops of src/kernels/gram-descent.ts in AssemblyScript with 128-bit vectors: the same operations in the same
 * order, so the same bits. Arrays are addresses of float64 in the imported memory, from which nothing is allocated.
 * Lengths are rounded up to whole blocks: what lies behind an array up to there is its own and stays finite.
 */

/** Float64 in a block, and its bytes. */
const BLOCK: i32 = 8
const BLOCK_BYTES: usize = 64

function blocks(length: i32): usize {
  return (((length + BLOCK - 1) / BLOCK) as usize) * BLOCK_BYTES
}

function subtract(c: f64, row: usize, target: usize, bytes: usize): void {
  const a = f64x2.splat(c)
  const end = target + bytes
  while (target < end) {
    v128.store(target, f64x2.sub(v128.load(target), f64x2.mul(a, v128.load(row))))
    v128.store(target, f64x2.sub(v128.load(target, 16), f64x2.mul(a, v128.load(row, 16))), 16)
    v128.store(target, f64x2.sub(v128.load(target, 32), f64x2.mul(a, v128.load(row, 32))), 32)
    v128.store(target, f64x2.sub(v128.load(target, 48), f64x2.mul(a, v128.load(row, 48))), 48)
    target += BLOCK_BYTES
    row += BLOCK_BYTES
  }
}

/** Passes over n coordinates: see `descend` there. Returns their number and writes the last one's largest change. */
export function descend(
  n: i32,
  stride: i32,
  gram: usize,
  l1: usize,
  l2: usize,
  lower: usize,
  upper: usize,
  beta: usize,
  residual: usize,
  history: usize,
  most: i32,
  tolerance: f64,
  largestAt: usize,
): i32 {
  const bytes = blocks(n)
  const rowBytes = (stride as usize) * 8
  let passes = 0
  while (passes < most) {
    let largest: f64 = 0
    let row = gram
    for (let j: usize = 0; j < (n as usize) * 8; j += 8, row += rowBytes) {
      const own = load<f64>(row + j)
      const curvature = own + load<f64>(l2 + j)
      if (curvature <= 0) continue
      const before = load<f64>(beta + j)
      const pull = load<f64>(residual + j) + own * before
      const threshold = load<f64>(l1 + j)
      const free = pull > threshold ? pull - threshold : pull < -threshold ? pull + threshold : 0
      const after = min<f64>(max<f64>(free / curvature, load<f64>(lower + j)), load<f64>(upper + j))
      const change = after - before
      if (change === 0) continue
      store<f64>(beta + j, after)
      subtract(change, row, residual, bytes)
      const size = change * change * curvature
      if (size > largest) largest = size
    }
    memory.copy(history + (passes as usize) * rowBytes, beta, (n as usize) * 8)
    passes++
    store<f64>(largestAt, largest)
    if (largest <= tolerance) break
  }
  return passes
}

/**
 * target −= Σ cₖ rowₖ, four rows at a time: `target` is read and written once for them. Rows whose coefficient is 0 are
 * passed over, so the four need not be neighbours.
 */
export function subtractRows(
  count: i32,
  length: i32,
  stride: i32,
  rows: usize,
  coefficients: usize,
  target: usize,
): void {
  const bytes = blocks(length)
  const rowBytes = (stride as usize) * 8
  const end = coefficients + (count as usize) * 8
  let held = 0
  let r0: usize = 0
  let r1: usize = 0
  let r2: usize = 0
  let c0: f64 = 0
  let c1: f64 = 0
  let c2: f64 = 0
  for (let at = coefficients, row = rows; at < end; at += 8, row += rowBytes) {
    const c = load<f64>(at)
    if (c === 0) continue
    if (held === 0) {
      r0 = row
      c0 = c
    } else if (held === 1) {
      r1 = row
      c1 = c
    } else if (held === 2) {
      r2 = row
      c2 = c
    } else {
      subtractFour(c0, c1, c2, c, r0, r1, r2, row, target, bytes)
      held = 0
      continue
    }
    held++
  }
  if (held > 0) subtract(c0, r0, target, bytes)
  if (held > 1) subtract(c1, r1, target, bytes)
  if (held > 2) subtract(c2, r2, target, bytes)
}

function subtractFour(
  c0: f64,
  c1: f64,
  c2: f64,
  c3: f64,
  r0: usize,
  r1: usize,
  r2: usize,
  r3: usize,
  target: usize,
  bytes: usize,
): void {
  const a0 = f64x2.splat(c0)
  const a1 = f64x2.splat(c1)
  const a2 = f64x2.splat(c2)
  const a3 = f64x2.splat(c3)
  for (let k: usize = 0; k < bytes; k += 32) {
    let left = f64x2.sub(v128.load(target + k), f64x2.mul(a0, v128.load(r0 + k)))
    let right = f64x2.sub(v128.load(target + k, 16), f64x2.mul(a0, v128.load(r0 + k, 16)))
    left = f64x2.sub(left, f64x2.mul(a1, v128.load(r1 + k)))
    right = f64x2.sub(right, f64x2.mul(a1, v128.load(r1 + k, 16)))
    left = f64x2.sub(left, f64x2.mul(a2, v128.load(r2 + k)))
    right = f64x2.sub(right, f64x2.mul(a2, v128.load(r2 + k, 16)))
    left = f64x2.sub(left, f64x2.mul(a3, v128.load(r3 + k)))
    right = f64x2.sub(right, f64x2.mul(a3, v128.load(r3 + k, 16)))
    v128.store(target + k, left)
    v128.store(target + k, right, 16)
  }
}
