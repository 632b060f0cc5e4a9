/** Covariances of few samples. */

/**
 * (1 − ρ) S + ρ tr(S)/p I: of few samples directions that none of them had would count for nothing, and the weights there
 * be lost. ρ by the oracle approximating shrinkage (Chen, Wiesel, Eldar and Hero 2010, eq. 23), which S and n decide alone.
 */
export function shrunk(s: Float64Array, p: number, n: number): Float64Array {
  let [trace, squares] = [0, 0]
  for (let i = 0; i < p; i++) trace += s[i * p + i]!
  for (const v of s) squares += v * v
  const below = (n + 1 - 2 / p) * (squares - trace ** 2 / p)
  const rho = below > 0 ? Math.min(1, ((1 - 2 / p) * squares + trace ** 2) / below) : 1
  return s.map((v, at) => (1 - rho) * v + (at % (p + 1) === 0 ? (rho * trace) / p : 0))
}
