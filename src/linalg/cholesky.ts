/** Cholesky's factor of a symmetric matrix, and inverses of triangular ones, in plain loops. */

/** L of A = LLᵀ, lower triangular: [n, n], of which the lower triangle is read; null where A is not positive definite. */
export function cholesky(a: Float64Array, n: number): Float64Array | null {
  const l = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!
      if (j < i) l[i * n + j] = sum / l[j * n + j]!
      else if (sum > 0 && sum < Number.POSITIVE_INFINITY) l[i * n + i] = Math.sqrt(sum)
      else return null
    }
  }
  return l
}

/** L⁻ᵀ, upper triangular, of a lower triangular L without zeros on its diagonal. */
export function inverseTransposed(l: Float64Array, n: number): Float64Array {
  // Row j of the result is column j of L⁻¹, by forward substitution.
  const out = new Float64Array(n * n)
  for (let j = 0; j < n; j++) {
    const row = j * n
    out[row + j] = 1 / l[row + j]!
    for (let i = j + 1; i < n; i++) {
      let sum = 0
      for (let k = j; k < i; k++) sum -= l[i * n + k]! * out[row + k]!
      out[row + i] = sum / l[i * n + i]!
    }
  }
  return out
}

/**
 * U of H⁻¹ = UᵀU, upper triangular, for a symmetric H [n, n]; null where it is not positive definite. With rows and
 * columns turned round Cholesky's factor is H = RRᵀ with R upper triangular, so U = R⁻¹. Row j of U holds what the best
 * answer to a change of variable j is, where those after it are free: the inverse of H's trailing part begins with
 * U_jj² and, divided by it, U_j.
 */
function inverseFactor(h: Float64Array, n: number): Float64Array | null {
  const turned = h.slice(0, n * n).reverse()
  const l = cholesky(turned, n)
  if (l === null) return null
  const inverse = inverseTransposed(l, n)
  // Element (i, j) of U is (n − 1 − i, n − 1 − j) of L⁻¹: that of the reversed list, transposed.
  const u = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) u[i * n + j] = inverse[(n - 1 - j) * n + (n - 1 - i)]!
  return u
}

/** The same for H + λI, where λ is `damping` times the mean of H's diagonal, or tenfold until it serves; null for H = 0. */
export function dampedInverseFactor(h: Float64Array, n: number, damping: number): Float64Array | null {
  let trace = 0
  for (let i = 0; i < n; i++) trace += h[i * n + i]!
  if (!(trace > 0) || trace === Number.POSITIVE_INFINITY) return null
  for (let share = damping; ; share *= 10) {
    const damped = h.slice(0, n * n)
    for (let i = 0; i < n; i++) damped[i * n + i]! += (share * trace) / n
    const u = inverseFactor(damped, n)
    if (u !== null) return u
  }
}
