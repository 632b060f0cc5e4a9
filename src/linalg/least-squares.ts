/**
 * Least squares by Householder reflections with pivoting (Golub and Van Loan, Matrix Computations, 4th ed. 2013,
 * algorithm 5.4.1): what normal equations lose to rounding, squared, is kept. For tall matrices of few columns.
 */

export interface LeastSquares {
  /** 0 for columns that the others explain. */
  readonly beta: Float64Array
  /** ‖y − Xβ‖² */
  readonly rss: number
  /** Diagonal of (XᵀX)⁻¹, NaN for columns that were left out. */
  readonly inverseDiagonal: Float64Array
  readonly rank: number
  /** Largest over smallest diagonal element of R, of columns brought to length 1: near the condition number. */
  readonly condition: number
}

/** `x`: column-major [rows, columns]; neither is changed. */
export function leastSquares(x: Float64Array, y: Float64Array, columns: number): LeastSquares {
  const n = y.length
  const lengths = Float64Array.from({ length: columns }, (_, j) => norm(x.subarray(j * n, (j + 1) * n)))
  const a = x.map((v, i) => v / (lengths[Math.floor(i / n)]! || 1))
  const { order, rank, diagonal } = factorize(a, n, columns)
  const scaled = new Float64Array(columns)
  const residual = y.slice()
  // The second solve, for what the first one left, gains the digits that rounding took.
  for (let round = 0; round < 2; round++) {
    const change = solve(a, reflect(a, residual.slice(), n, rank), n, rank, diagonal)
    for (let k = 0; k < rank; k++) scaled[order[k]!]! += change[k]!
    residual.set(y)
    for (let j = 0; j < columns; j++) {
      const b = scaled[j]! / (lengths[j]! || 1)
      if (b !== 0) for (let i = 0; i < n; i++) residual[i]! -= b * x[j * n + i]!
    }
  }
  const inverse = inverseRows(a, n, rank, diagonal)
  const inverseDiagonal = new Float64Array(columns).fill(Number.NaN)
  for (let k = 0; k < rank; k++) inverseDiagonal[order[k]!] = inverse[k]! / lengths[order[k]!]! ** 2
  return {
    beta: scaled.map((b, j) => (b === 0 ? 0 : b / lengths[j]!)),
    rss: residual.reduce((sum, v) => sum + v * v, 0),
    inverseDiagonal,
    rank,
    condition: rank === 0 ? 1 : Math.abs(diagonal[0]! / diagonal[rank - 1]!),
  }
}

export interface Basis {
  /** Orthonormal, column-major: [rows, rank]. */
  readonly columns: Float64Array
  readonly rank: number
  /** Coefficients on the columns, 0 for those that the others explain, of coefficients on the basis. */
  coefficientsOf(onBasis: Float64Array): Float64Array
}

/** Of what some columns span, column-major [rows, columns]: Q and R⁻¹ of their factors. */
export function basisOf(x: Float64Array, rows: number, columns: number): Basis {
  const lengths = Float64Array.from({ length: columns }, (_, j) => norm(x.subarray(j * rows, (j + 1) * rows)))
  const a = x.map((v, i) => v / (lengths[Math.floor(i / rows)]! || 1))
  const { order, rank, diagonal } = factorize(a, rows, columns)
  const basis = new Float64Array(rows * rank)
  for (let k = 0; k < rank; k++) {
    const unit = basis.subarray(k * rows, (k + 1) * rows)
    unit[k] = 1
    for (let j = rank - 1; j >= 0; j--) applyReflection(a.subarray(j * rows, (j + 1) * rows), unit, j)
  }
  return {
    columns: basis,
    rank,
    coefficientsOf(onBasis) {
      const out = new Float64Array(columns)
      for (const [k, v] of solve(a, onBasis, rows, rank, diagonal).entries()) out[order[k]!] = v / lengths[order[k]!]!
      return out
    },
  }
}

interface Factors {
  /** Columns in the order in which they were taken. */
  readonly order: readonly number[]
  readonly rank: number
  /** Of R; the rest of R stands above, the reflections below and on the diagonal of `a`. */
  readonly diagonal: Float64Array
}

/** Of columns of length 1: what is left of one that is shorter than this is rounding. */
const NOTHING = 1e-14

function factorize(a: Float64Array, n: number, columns: number): Factors {
  const order = Array.from({ length: columns }, (_, j) => j)
  const diagonal = new Float64Array(columns)
  const column = (j: number): Float64Array => a.subarray(j * n, (j + 1) * n)
  for (let k = 0; k < Math.min(n, columns); k++) {
    let [most, at] = [-1, k]
    for (let j = k; j < columns; j++) {
      const size = norm(column(j).subarray(k))
      if (size > most) [most, at] = [size, j]
    }
    if (most <= NOTHING * Math.sqrt(n)) return { order, rank: k, diagonal }
    swap(a, order, k, at, n)
    const v = column(k)
    // v = x + sign(x₁)‖x‖ e₁, kept in place of the column.
    diagonal[k] = v[k]! > 0 ? -most : most
    v[k]! -= diagonal[k]!
    for (let j = k + 1; j < columns; j++) applyReflection(v, column(j), k)
  }
  return { order, rank: Math.min(n, columns), diagonal }
}

/** c − 2 v (vᵀc) / vᵀv from row `k` on. */
function applyReflection(v: Float64Array, c: Float64Array, k: number): void {
  let [dot, square] = [0, 0]
  for (let i = k; i < v.length; i++) {
    dot += v[i]! * c[i]!
    square += v[i]! * v[i]!
  }
  const factor = (2 * dot) / square
  for (let i = k; i < v.length; i++) c[i]! -= factor * v[i]!
}

/** Qᵀy, in place. */
function reflect(a: Float64Array, y: Float64Array, n: number, rank: number): Float64Array {
  for (let k = 0; k < rank; k++) applyReflection(a.subarray(k * n, (k + 1) * n), y, k)
  return y
}

/** R b = c */
function solve(a: Float64Array, c: Float64Array, n: number, rank: number, diagonal: Float64Array): Float64Array {
  const b = new Float64Array(rank)
  for (let k = rank - 1; k >= 0; k--) {
    let sum = c[k]!
    for (let j = k + 1; j < rank; j++) sum -= a[j * n + k]! * b[j]!
    b[k] = sum / diagonal[k]!
  }
  return b
}

/** Σⱼ (R⁻¹)ₖⱼ² for each row k. */
function inverseRows(a: Float64Array, n: number, rank: number, diagonal: Float64Array): Float64Array {
  const sums = new Float64Array(rank)
  for (let j = 0; j < rank; j++) {
    const unit = new Float64Array(n)
    unit[j] = 1
    for (const [k, v] of solve(a, unit, n, rank, diagonal).entries()) sums[k]! += v * v
  }
  return sums
}

function swap(a: Float64Array, order: number[], i: number, j: number, n: number): void {
  if (i === j) return
  const kept = a.slice(i * n, (i + 1) * n)
  a.copyWithin(i * n, j * n, (j + 1) * n)
  a.set(kept, j * n)
  ;[order[i], order[j]] = [order[j]!, order[i]!]
}

/** Scaled, so that squares neither overflow nor vanish. */
function norm(v: Float64Array): number {
  const most = v.reduce((m, x) => Math.max(m, Math.abs(x)), 0)
  if (most === 0) return 0
  return most * Math.sqrt(v.reduce((sum, x) => sum + (x / most) ** 2, 0))
}
