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
 * True where some pair of neighbours could leave 16 bits, given the largest activation of each input channel.
 * `w` is [rows, depth], `peak` has `depth` entries in 0..255. Pairs are (0,1), (2,3), … along the depth.
 */
export function maySaturate(w: Int8Array, rows: number, depth: number, peak: Uint8Array): boolean {
  for (let r = 0; r < rows; r++) {
    const at = r * depth
    for (let k = 0; k + 1 < depth; k += 2) {
      const p0 = w[at + k]! * peak[k]!
      const p1 = w[at + k + 1]! * peak[k + 1]!
      if (Math.max(0, p0) + Math.max(0, p1) > MAX || Math.min(0, p0) + Math.min(0, p1) < MIN) return true
    }
  }
  return false
}

/**
 * Number of (row, column, pair) sums that leave 16 bits in the product of w [rows, depth] with a [columns, depth].
 */
export function countSaturations(w: Int8Array, rows: number, depth: number, a: Uint8Array, columns: number): number {
  let fired = 0
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const wAt = r * depth
      const aAt = c * depth
      for (let k = 0; k + 1 < depth; k += 2) {
        const sum = a[aAt + k]! * w[wAt + k]! + a[aAt + k + 1]! * w[wAt + k + 1]!
        if (sum > MAX || sum < MIN) fired++
      }
    }
  }
  return fired
}
