/**
 * Losses, slopes and conjugates of logistic regression for many rows, with exp and log of their own, so that several rows can go at a
 * time; right to some units of the last place.
 *
 * The plain form of the loops. assembly/logistic.ts has the same with 128-bit vectors: a sum over rows is one over the even
 * ones plus one over the odd ones in both, so both give the same bits.
 */

/** ln 2 = HIGH + LOW, where k · HIGH is exact for whole k up to 2²⁰ (fdlibm, e_exp.c). */
const LN2_HIGH = 0.6931471803691238
const LN2_LOW = 1.9082149292705877e-10
/** 1.5 · 2⁵²: what is added to it is rounded to a whole number. */
const ROUNDER = 6755399441055744
/** e^−|η| stays above the smallest normal number. */
const FARTHEST = 708

/** 2⁻ᵏ */
const POWERS: readonly number[] = Array.from({ length: 1023 }, (_, k) => 0.5 ** k)

/** 1/13!, 1/12! … 1/0!: e^r for |r| ≤ ½ ln 2. */
const EXPONENTIAL: readonly number[] = [
  ...[6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1],
].map((factorial) => 1 / factorial)

/** 1/33, 1/31 … 1: artanh(z) / z in z² for |z| ≤ 1/3. */
const ARTANH: readonly number[] = Array.from({ length: 17 }, (_, k) => 1 / (33 - 2 * k))
/** 1/23 … 1: the same for |z| ≤ (√2 − 1) / (√2 + 1). */
const SHORT_ARTANH: readonly number[] = ARTANH.slice(5)

/** The high half of the bits of √½. */
const ROOT = 0x3fe6a09e

function horner(coefficients: readonly number[], x: number): number {
  let sum = coefficients[0]!
  for (let k = 1; k < coefficients.length; k++) sum = sum * x + coefficients[k]!
  return sum
}

interface Sum {
  value: number
  /** What rounding has added too much. */
  excess: number
}

const emptySum = (): Sum => ({ value: 0, excess: 0 })

/** Kahan 1965: many terms of one size would drift. */
function add(sum: Sum, term: number): void {
  const [before, whole] = [sum.value, term - sum.excess]
  sum.value = before + whole
  sum.excess = sum.value - before - whole
}

/** Slopes ∂f/∂η of f = log(1 + e^η) − yη for y of 0 or 1; returns Σ ω f. The count is even. */
export function respond(
  count: number,
  y: Float64Array,
  eta: Float64Array,
  shares: Float64Array,
  slopes: Float64Array,
): number {
  const sums = [emptySum(), emptySum()] as const
  for (let i = 0; i < count; i++) {
    const sign = 1 - 2 * y[i]!
    // Above 0 on the wrong side.
    const away = sign * eta[i]!
    const far = Math.min(Math.abs(away), FARTHEST)
    const k = far * Math.LOG2E + ROUNDER - ROUNDER
    const small = horner(EXPONENTIAL, k * LN2_HIGH - far + k * LN2_LOW) * POWERS[k]!
    slopes[i] = sign * ((away >= 0 ? 1 : small) / (1 + small))
    // log(1 + t) = 2 artanh(t / (2 + t)), without cancellation.
    const z = small / (2 + small)
    add(sums[i % 2 === 0 ? 0 : 1], shares[i]! * (Math.max(away, 0) + 2 * z * horner(ARTANH, z * z)))
  }
  return sums[0].value + sums[1].value
}

/** Moves v into the domain of f*, in place; returns Σ ω f*(v), f*(v) = m log m + (1 − m) log(1 − m). The count is even. */
export function conjugate(count: number, y: Float64Array, v: Float64Array, shares: Float64Array): number {
  const sums = [emptySum(), emptySum()] as const
  const bits = new DataView(new ArrayBuffer(8))
  for (let i = 0; i < count; i++) {
    const sign = 1 - 2 * y[i]!
    const distance = Math.min(Math.max(sign * v[i]!, 0), 1)
    v[i] = sign * distance
    add(sums[i % 2 === 0 ? 0 : 1], shares[i]! * (entropy(distance, bits) + entropy(1 - distance, bits)))
  }
  return sums[0].value + sums[1].value
}

/** x log x for 0 ≤ x ≤ 1: log x = k log 2 + 2 artanh((m − 1) / (m + 1)) for x = 2ᵏ m. */
function entropy(x: number, bits: DataView): number {
  bits.setFloat64(0, x)
  const high = bits.getInt32(0)
  const k = (high - ROOT) >> 20
  bits.setInt32(0, high - (k << 20))
  const m = bits.getFloat64(0)
  const z = (m - 1) / (m + 1)
  return x * (k * LN2_HIGH + (k * LN2_LOW + 2 * z * horner(SHORT_ARTANH, z * z)))
}
