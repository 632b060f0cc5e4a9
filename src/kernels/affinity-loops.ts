/** Plain loops of assembly/affinities.ts: its oracle, and what takes its place where there is no WebAssembly SIMD. */

/** Tries for one row, what the entropy may miss, and a factor that is tried while there is a bound on one side alone. */
const TRIES = 100
const CLOSE = 1e-9
const FAR = 8

/**
 * Square distances to weights exp(−β d) with a sum of 1, in place; β by Newton's method for ln β, by the middle of the
 * bracket where that leaves it. Infinity is no neighbour. Returns by how much the entropy is missed.
 */
export function weighRow(row: Float64Array, entropy: number): number {
  const least = row.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  for (let k = 0; k < row.length; k++) row[k]! -= least
  const spread = row.reduce((sum, d) => sum + (d < Number.POSITIVE_INFINITY ? d : 0), 0)
  let [low, high] = [0, Number.POSITIVE_INFINITY]
  let beta = spread > 0 ? row.length / spread : 1
  for (let tries = 0; ; tries++) {
    let [total, first, second] = [0, 0, 0]
    for (const d of row) {
      if (d === Number.POSITIVE_INFINITY) continue
      const w = Math.exp(-beta * d)
      total += w
      first += w * d
      second += w * d * d
    }
    const mean = first / total
    const miss = Math.log(total) + beta * mean - entropy
    if (miss > 0) low = beta
    else high = beta
    const proposed = beta * Math.exp(miss / (beta * beta * (second / total - mean * mean)))
    const next = proposed > low && proposed < high ? proposed : middleOf(low, high)
    if (Math.abs(miss) <= CLOSE || tries === TRIES || !(next > 0 && next < Number.POSITIVE_INFINITY)) {
      for (let k = 0; k < row.length; k++) row[k] = Math.exp(-beta * row[k]!) / total
      return miss
    }
    beta = next
  }
}

function middleOf(low: number, high: number): number {
  if (low === 0) return high / FAR
  return high === Number.POSITIVE_INFINITY ? low * FAR : Math.sqrt(low * high)
}
