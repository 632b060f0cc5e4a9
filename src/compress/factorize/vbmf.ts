/**
 * The rank of a matrix under noise, by variational Bayes: the global analytic solution of empirical variational Bayesian
 * matrix factorization (Nakajima, Sugiyama, Babacan and Tomioka, JMLR 14, 2013), with the noise's variance estimated by
 * minimizing the free energy (Nakajima, Tomioka, Sugiyama and Babacan, JMLR 16, 2015, theorem 2).
 */

/** Variances tried between the bounds, evenly in their logarithm; the free energy has several minima. */
const TRIED = 400
/** Golden section steps around the best of them. */
const REFINED = 60

/**
 * How many of the singular values stand out from white noise; 0 where none does. `squares`: the squared singular values of
 * a [short, long] matrix, descending, `short` of them.
 */
export function vbmfRank(squares: ArrayLike<number>, long: number): number {
  const short = squares.length
  const total = Array.from(squares).reduce((sum, v) => sum + v, 0)
  if (short === 0 || !(total > 0)) return 0
  const alpha = short / long
  const tau = criticalTau(alpha)
  const edge = (1 + tau) * (1 + alpha / tau)
  const variance = noiseVariance(squares, { long, alpha, edge, total })
  const threshold = long * variance * edge
  let rank = 0
  while (rank < short && squares[rank]! > threshold) rank++
  return rank
}

/** τ with Φ(τ) + Φ(τ / α) = 0, Φ(z) = ln(z + 1) / z − 1/2: about 2.5129 √α. */
function criticalTau(alpha: number): number {
  const phi = (z: number): number => Math.log1p(z) / z - 0.5
  let [low, high] = [1e-9 * Math.sqrt(alpha), 10]
  // The sum falls from 1 towards −1 as τ grows.
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2
    if (phi(middle) + phi(middle / alpha) > 0) low = middle
    else high = middle
  }
  return (low + high) / 2
}

interface Problem {
  readonly long: number
  readonly alpha: number
  /** x̲: the least γ² / (M σ²) that is more than noise. */
  readonly edge: number
  readonly total: number
}

function noiseVariance(squares: ArrayLike<number>, problem: Problem): number {
  const { long, alpha, edge, total } = problem
  const short = squares.length
  const most = Math.min(short - 1, Math.ceil(short / (1 + alpha)) - 1)
  const rest = Array.from(squares)
    .slice(most)
    .reduce((sum, v) => sum + v, 0)
  const high = total / (short * long)
  const low = Math.max((squares[most] ?? 0) / (long * edge), rest / (long * (short - most)), 1e-15 * high)
  const energy = (logVariance: number): number => freeEnergy(squares, Math.exp(logVariance), problem)
  const step = Math.log(high / low) / TRIED
  if (!(step > 0)) return low
  let best = 0
  for (let i = 1; i <= TRIED; i++) if (energy(Math.log(low) + i * step) < energy(Math.log(low) + best * step)) best = i
  return Math.exp(
    golden(energy, Math.log(low) + Math.max(0, best - 1) * step, Math.log(low) + Math.min(TRIED, best + 1) * step),
  )
}

/** Ω(σ²) = Σ ψ₀(x_h) + Σ over x_h > x̲ of ψ₁(x_h), x_h = γ_h² / (M σ²), but for a constant. */
function freeEnergy(squares: ArrayLike<number>, variance: number, { long, alpha, edge }: Problem): number {
  let sum = 0
  for (let h = 0; h < squares.length; h++) {
    const x = squares[h]! / (long * variance)
    // −ln x without the part that γ_h alone decides, so that values of zero do no harm.
    sum += x + Math.log(variance)
    if (x <= edge) continue
    const b = x - (1 + alpha)
    const tau = (b + Math.sqrt(Math.max(0, b * b - 4 * alpha))) / 2
    sum += Math.log1p(tau) + alpha * Math.log1p(tau / alpha) - tau
  }
  return sum
}

/** A minimum of `f` between `low` and `high`. */
function golden(f: (x: number) => number, low: number, high: number): number {
  const part = (Math.sqrt(5) - 1) / 2
  let [a, b] = [low, high]
  for (let i = 0; i < REFINED; i++) {
    const [c, d] = [b - part * (b - a), a + part * (b - a)]
    if (f(c) <= f(d)) b = d
    else a = c
  }
  return (a + b) / 2
}
