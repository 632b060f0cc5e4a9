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
