/**
 * The loops of src/kernels/neighbour-loops.ts in AssemblyScript: the same operations in the same order, so the same bits.
 * Arrays are addresses of float64, or of 32-bit integers where that is said, in the imported memory.
 */

/** Sorting goes by digits of so many bits: six of them hold a float64. */
const DIGIT: i32 = 11
const BUCKETS: i32 = 2048
const DIGITS: i32 = 6

function at(base: usize, i: i32): f64 {
  return load<f64>(base + ((i as usize) << 3))
}

function intAt(base: usize, i: i32): i32 {
  return load<i32>(base + ((i as usize) << 2))
}

/** Float64 in `keys` become integers of the same order; `order` (integers) are the rows by them. Stable. */
export function sortOrder(n: i32, keys: usize, order: usize, otherKeys: usize, otherOrder: usize, counts: usize): void {
  for (let c: usize = 0; c < ((DIGITS * BUCKETS) as usize) << 2; c += 8) store<u64>(counts + c, 0)
  for (let i = 0; i < n; i++) {
    const place = keys + ((i as usize) << 3)
    const bits = load<u64>(place)
    let key = bits ^ ((((bits as i64) >> 63) as u64) | 0x8000000000000000)
    store<u64>(place, key)
    store<i32>(order + ((i as usize) << 2), i)
    for (let d = 0; d < DIGITS; d++, key >>= DIGIT) {
      const bucket = counts + (((d * BUCKETS + ((key as i32) & (BUCKETS - 1))) as usize) << 2)
      store<i32>(bucket, load<i32>(bucket) + 1)
    }
  }
  let fromKeys = keys
  let fromOrder = order
  let toKeys = otherKeys
  let toOrder = otherOrder
  for (let d = 0; d < DIGITS; d++) {
    const shift = (d * DIGIT) as u64
    const own = counts + (((d * BUCKETS) as usize) << 2)
    // A digit that all have in common sorts nothing.
    const first = ((load<u64>(fromKeys) >> shift) as i32) & (BUCKETS - 1)
    if (intAt(own, first) === n) continue
    let before = 0
    for (let b = 0; b < BUCKETS; b++) {
      const count = intAt(own, b)
      store<i32>(own + ((b as usize) << 2), before)
      before += count
    }
    for (let i = 0; i < n; i++) {
      const key = load<u64>(fromKeys + ((i as usize) << 3))
      const bucket = own + (((((key >> shift) as i32) & (BUCKETS - 1)) as usize) << 2)
      const to = load<i32>(bucket)
      store<i32>(bucket, to + 1)
      store<u64>(toKeys + ((to as usize) << 3), key)
      store<i32>(toOrder + ((to as usize) << 2), intAt(fromOrder, i))
    }
    const keysBefore = fromKeys
    const orderBefore = fromOrder
    fromKeys = toKeys
    fromOrder = toOrder
    toKeys = keysBefore
    toOrder = orderBefore
  }
  if (fromOrder === order) return
  for (let i = 0; i < n; i++) store<i32>(order + ((i as usize) << 2), intAt(fromOrder, i))
}

/** Σ ψ(number of j with |xⱼ − xᵢ| < rᵢ, i among them), x being sorted; `digamma` holds ψ(1), ψ(2), … from 1 on. */
export function digammaWithin(n: i32, sorted: usize, radii: usize, digamma: usize): f64 {
  let sum: f64 = 0
  // About as far as from the row before.
  const up = 1
  let down = 1
  for (let i = 0; i < n; i++) {
    const x = at(sorted, i)
    const radius = at(radii, i)
    // By steps that double, then by halves.
    let high = i
    let step = up
    while (high + step < n && at(sorted, high + step) - x < radius) {
      high += step
      step <<= 1
    }
    for (step >>= 1; step > 0; step >>= 1) if (high + step < n && at(sorted, high + step) - x < radius) high += step
    let low = i
    step = down
    while (low - step >= 0 && x - at(sorted, low - step) < radius) {
      low -= step
      step <<= 1
    }
    down = max(1, step >> 1)
    for (step >>= 1; step > 0; step >>= 1) if (low - step >= 0 && x - at(sorted, low - step) < radius) low -= step
    sum += at(digamma, high - low + 1)
  }
  return sum
}

/** Distance to the k-th neighbour of the same class; `members` and `starts` are integers. */
export function nearestOfClass(classes: i32, sorted: usize, members: usize, starts: usize, k: i32, radii: usize): void {
  for (let c = 0; c < classes; c++) {
    const from = intAt(starts, c)
    const last = intAt(starts, c + 1) - 1
    const most = min(k, last - from)
    let low = from
    for (let m = from; m <= last; m++) {
      const i = intAt(members, m)
      const x = at(sorted, i)
      low = max(low, m - most)
      // Of the windows of k neighbours the one whose farther end is nearest.
      while (
        low < m &&
        low + most < last &&
        x - at(sorted, intAt(members, low)) > at(sorted, intAt(members, low + most + 1)) - x
      )
        low++
      const below = x - at(sorted, intAt(members, low))
      const above = at(sorted, intAt(members, low + most)) - x
      store<f64>(radii + ((i as usize) << 3), max(below, above))
    }
  }
}

/** Room for the k smallest distances, the largest last. */
function insert(best: usize, k: i32, distance: f64): f64 {
  let slot = k - 1
  for (; slot > 0 && at(best, slot - 1) > distance; slot--)
    store<f64>(best + ((slot as usize) << 3), at(best, slot - 1))
  store<f64>(best + ((slot as usize) << 3), distance)
  return at(best, k - 1)
}

/** Distance to the k-th neighbour under the maximum norm: see `nearestJoint` there. */
export function nearestJoint(
  n: i32,
  size: i32,
  u: usize,
  v: usize,
  lows: usize,
  highs: usize,
  k: i32,
  best: usize,
  radii: usize,
): void {
  const strips = (n + size - 1) / size
  for (let i = 0; i < n; i++) {
    const own = i / size
    const a = at(u, i)
    const b = at(v, i)
    for (let s = 0; s < k; s++) store<f64>(best + ((s as usize) << 3), Infinity)
    let radius: f64 = Infinity
    let strip = own
    let step = 1
    for (;;) {
      const from = strip * size
      const to = min(n, from + size)
      let up = i + 1
      if (strip !== own) {
        up = from
        let rest = to - from
        while (rest > 0) {
          const half = rest >> 1
          const isBelow = at(v, up + half) < b
          up = isBelow ? up + half + 1 : up
          rest = isBelow ? rest - half - 1 : half
        }
      }
      let down = strip === own ? i - 1 : up - 1
      for (; up < to; up++) {
        const height = at(v, up) - b
        if (height >= radius) break
        const distance = max(abs(at(u, up) - a), height)
        if (distance < radius) radius = insert(best, k, distance)
      }
      for (; down >= from; down--) {
        const height = b - at(v, down)
        if (height >= radius) break
        const distance = max(abs(at(u, down) - a), height)
        if (distance < radius) radius = insert(best, k, distance)
      }
      // Strips to the right until they are too far, then those to the left.
      if (step > 0) {
        strip++
        if (strip < strips && at(lows, strip) - a < radius) continue
        step = -1
        strip = own
      }
      strip--
      if (strip < 0 || a - at(highs, strip) >= radius) break
    }
    store<f64>(radii + ((i as usize) << 3), radius)
  }
}
