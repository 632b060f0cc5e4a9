/**
 * Eigenvalues of diag(d) + ρ zzᵀ: the roots of 1 + ρ Σ zⱼ²/(dⱼ − λ), and vectors that are orthogonal to rounding since
 * they belong to a nearby z for which those roots are exact (Gu and Eisenstat 1994, 1995).
 */

export interface RankOne {
  /** Strictly ascending. */
  readonly d: Float64Array
  /** None is 0. */
  readonly z: Float64Array
  /** Above 0. */
  readonly rho: number
}

export interface Roots {
  /** Ascending: each above its own d, and below the next one. */
  readonly values: Float64Array
  /** [k, k]: row i is dⱼ − λᵢ, to the last digits also where both are close. */
  readonly gaps: Float64Array
}

export function secularRoots({ d, z, rho }: RankOne): Roots {
  const k = d.length
  const values = new Float64Array(k)
  const gaps = new Float64Array(k * k)
  const square = rho * z.reduce((sum, v) => sum + v * v, 0)
  const sums = new Float64Array(5)
  for (let i = 0; i < k; i++) {
    const row = gaps.subarray(i * k, (i + 1) * k)
    values[i] = findRoot({ d, z, rho }, i, square, row, sums)
  }
  return { values, gaps }
}

const EPSILON = 2 ** -52

/** Rational steps take some five; what is left over is halved. */
const MOST = 200

/**
 * By interpolation of both sides with a pole each, the "middle way" (Li 1994, LAPACK working note 89), within bounds that
 * close in. Distances are from the nearest pole, and `row` takes those from the root.
 */
function findRoot({ d, z, rho }: RankOne, i: number, most: number, row: Float64Array, sums: Float64Array): number {
  const k = d.length
  const isLast = i === k - 1
  const gap = isLast ? most : d[i + 1]! - d[i]!
  for (let j = 0; j < k; j++) row[j] = d[j]! - d[i]!
  // The two poles that a step keeps: those beside the root, or for the last root those before it.
  const left = isLast ? Math.max(0, k - 2) : i
  const right = Math.min(k - 1, left + 1)
  let mu = gap / 2
  evaluate(row, z, left, mu, sums)
  const middle = 1 / rho + sums[PSI]! + sums[PHI]!
  // From the nearer pole.
  const isLeft = isLast || middle >= 0
  const origin = isLeft ? d[i]! : d[i + 1]!
  if (!isLeft) {
    for (let j = 0; j < k; j++) row[j] = d[j]! - origin
    mu -= gap
  }
  const isBelow = middle < 0
  let low = isLeft && !isBelow ? 0 : mu
  // The last root may lie at `gap` itself.
  const end = isLast ? 2 * gap : gap
  let high = isLeft ? (isBelow ? end : mu) : 0
  const outside = middle - poleAt(row, z, left, mu) - (right === left ? 0 : poleAt(row, z, right, mu))
  mu = within(low, high, firstGuess(row, z, { left, right, outside, isLast }))
  for (let round = 0; round < MOST; round++) {
    evaluate(row, z, left, mu, sums)
    const [psi, phi, slopePsi, slopePhi] = [sums[PSI]!, sums[PHI]!, sums[PSI_SLOPE]!, sums[PHI_SLOPE]!]
    const f = 1 / rho + psi + phi
    const noise = sums[NOISE]! + 8 * (Math.abs(phi) + Math.abs(psi)) + 1 / rho + Math.abs(mu) * (slopePsi + slopePhi)
    if (Math.abs(f) <= EPSILON * noise) break
    if (f < 0) low = mu
    else high = mu
    const [a, b] = [row[left]! - mu, row[right]! - mu]
    const c = f - a * slopePsi - b * slopePhi
    const step = quadraticRoot(c, (a + b) * f - a * b * (slopePsi + slopePhi), a * b * f, isLast)
    const next = round < 30 ? within(low, high, mu + step) : (low + high) / 2
    if (next === mu || high - low <= EPSILON * Math.abs(next)) break
    mu = next
  }
  for (let j = 0; j < k; j++) row[j]! -= mu
  return origin + mu
}

const [PSI, PHI, PSI_SLOPE, PHI_SLOPE, NOISE] = [0, 1, 2, 3, 4] as const

/** Σ zⱼ²/(δⱼ − μ) up to `left` and beyond, their slopes, and the sum of all partial sums: what rounding is a part of. */
function evaluate(delta: Float64Array, z: Float64Array, left: number, mu: number, sums: Float64Array): void {
  let [psi, psiSlope, phi, phiSlope, noise] = [0, 0, 0, 0, 0]
  for (let j = 0; j <= left; j++) {
    const t = z[j]! / (delta[j]! - mu)
    psi += z[j]! * t
    psiSlope += t * t
    noise += Math.abs(psi)
  }
  for (let j = z.length - 1; j > left; j--) {
    const t = z[j]! / (delta[j]! - mu)
    phi += z[j]! * t
    phiSlope += t * t
    noise += Math.abs(phi)
  }
  sums[PSI] = psi
  sums[PHI] = phi
  sums[PSI_SLOPE] = psiSlope
  sums[PHI_SLOPE] = phiSlope
  sums[NOISE] = noise
}

const poleAt = (delta: Float64Array, z: Float64Array, j: number, mu: number): number =>
  (z[j]! * z[j]!) / (delta[j]! - mu)

interface Poles {
  readonly left: number
  readonly right: number
  /** 1/ρ and all other poles, at the middle. */
  readonly outside: number
  readonly isLast: boolean
}

/** outside + z²/(δ_left − μ) + z²/(δ_right − μ) = 0 */
function firstGuess(delta: Float64Array, z: Float64Array, { left, right, outside, isLast }: Poles): number {
  const [a, b] = [delta[left]!, delta[right]!]
  const [s, t] = [z[left]! ** 2, right === left ? 0 : z[right]! ** 2]
  return quadraticRoot(outside, outside * (a + b) + s + t, outside * a * b + s * b + t * a, isLast)
}

/** The root of cμ² − aμ + b between the poles, or behind both of them. */
function quadraticRoot(c: number, a: number, b: number, isLast: boolean): number {
  const root = Math.sqrt(Math.abs(a * a - 4 * b * c))
  if (isLast) return a >= 0 ? (a + root) / (2 * c) : (2 * b) / (a - root)
  return a <= 0 ? (a - root) / (2 * c) : (2 * b) / (a + root)
}

const within = (low: number, high: number, value: number): number =>
  value > low && value < high ? value : (low + high) / 2

/** [wanted, k]: vectors of these λᵢ, of length 1. */
export function secularVectors({ d, z }: RankOne, { gaps }: Roots, wanted: readonly number[]): Float64Array {
  const k = d.length
  // ẑⱼ² = Πᵢ (λᵢ − dⱼ) / Πᵢ≠ⱼ (dᵢ − dⱼ), but for a factor.
  const near = new Float64Array(k).fill(1)
  for (let i = 0; i < k; i++) {
    const row = gaps.subarray(i * k, (i + 1) * k)
    for (let j = 0; j < k; j++) near[j]! *= i === j ? row[j]! : row[j]! / (d[j]! - d[i]!)
  }
  for (let j = 0; j < k; j++) near[j] = Math.sign(z[j]!) * Math.sqrt(Math.abs(near[j]!))
  const vectors = new Float64Array(wanted.length * k)
  for (const [at, i] of wanted.entries()) {
    const from = at * k
    let square = 0
    for (let j = 0; j < k; j++) {
      const v = near[j]! / gaps[i * k + j]!
      vectors[from + j] = v
      square += v * v
    }
    const scale = 1 / Math.sqrt(square)
    for (let j = 0; j < k; j++) vectors[from + j]! *= scale
  }
  return vectors
}
