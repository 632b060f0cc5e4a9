/**
 * The AVX2 instruction VPMADDUBSW multiplies unsigned by signed bytes and adds neighbouring products into 16 bits
 * **with saturation**. Integer kernels on CPUs without VNNI are built on it, so a pair whose sum leaves 16 bits is
 * silently wrong there, and right on newer CPUs. These functions find such pairs.
 */

const MAX = 32767
const MIN = -32768

/** One lane of VPMADDUBSW: a0·w0 + a1·w1 in 16 bits, saturated. `a` in 0..255, `w` in −128..127. */
export function maddubs(a0: number, w0: number, a1: number, w1: number): number {
  const sum = a0 * w0 + a1 * w1
  return Math.min(Math.max(sum, MIN), MAX)
}

/**
 * For each row the farthest that a sum of two neighbouring products may come, as a multiple of what 16 bits hold: above
 * 1 it saturates. `w` is [rows, depth]; `peak`, the largest activation of each input, has `depth` entries in 0..255.
 * Pairs are (0,1), (2,3), … along the depth.
 */
export function pairReach(w: Int8Array, rows: number, depth: number, peak: Uint8Array): Float64Array {
  const reach = new Float64Array(rows)
  for (let r = 0; r < rows; r++) {
    const at = r * depth
    let high = 0
    let low = 0
    for (let k = 0; k + 1 < depth; k += 2) {
      const p0 = w[at + k]! * peak[k]!
      const p1 = w[at + k + 1]! * peak[k + 1]!
      // Activations below their peaks reach at most what the products of one sign add up to.
      const above = (p0 > 0 ? p0 : 0) + (p1 > 0 ? p1 : 0)
      const below = (p0 < 0 ? p0 : 0) + (p1 < 0 ? p1 : 0)
      if (above > high) high = above
      if (below < low) low = below
    }
    reach[r] = Math.max(high / MAX, low / MIN)
  }
  return reach
}
