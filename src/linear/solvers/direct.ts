/** Problems without a kink, the ridge and least squares, solved at once: (G + B) β = q by LDLᵀ. */

import { BLOCK, type GramKernel, openGramKernel, wholeBlocks } from '../../kernels/gram-kernel.js'
import { correlationsAt, type Fit, type Penalized, type Quadratic } from '../quadratic.js'

/** Columns up to which p³/3 operations for each λ are worth it; beyond, descent is quicker. */
const MOST = 600

/** A pivot that rounding alone may have left, relative to the diagonal. */
const NO_PIVOT = 1e-13

/** A correction that is rounding itself, relative to the largest coefficient. */
const SETTLED = 1e-14

/** What is not held at 0 has neither an l1 penalty nor bounds, and is not too much. */
export const isDirect = (penalized: Penalized): boolean => isSmooth(penalized, MOST)

/** The same of at most so many columns. */
export function isSmooth({ l1, lower, upper }: Penalized, most = Number.POSITIVE_INFINITY): boolean {
  let moving = 0
  for (let j = 0; j < l1.length; j++) {
    if (lower[j] === 0 && upper[j] === 0) continue
    const isFree = l1[j] === 0 && lower[j] === Number.NEGATIVE_INFINITY && upper[j] === Number.POSITIVE_INFINITY
    if (!isFree || ++moving > most) return false
  }
  return true
}

/** Columns that depend on earlier ones get 0. */
export function solveDirect(problem: Quadratic, { l2, lower, upper }: Penalized, open = openGramKernel): Fit {
  const { q } = problem
  const moving = [...q.keys()].filter((j) => lower[j] !== 0 || upper[j] !== 0)
  const factors = factorize({ gram: problem.gram, stride: q.length }, l2, moving, open)
  const beta = new Float64Array(q.length)
  let residual = q
  // Again for what rounding left, from the true residual.
  for (let round = 0; round < 3; round++) {
    const step = solve(
      factors,
      Float64Array.from(moving, (j) => residual[j]! - l2[j]! * beta[j]!),
    )
    let [largest, size] = [0, 0]
    for (const [k, j] of moving.entries()) {
      beta[j]! += step[k]!
      largest = Math.max(largest, Math.abs(step[k]!))
      size = Math.max(size, Math.abs(beta[j]!))
    }
    residual = correlationsAt(problem, beta)
    if (largest <= SETTLED * size) break
  }
  return { beta, residual, passes: 0 }
}

export interface Factors {
  readonly n: number
  readonly stride: number
  /** Row j from column j on: D Lᵀ. */
  readonly rows: Float64Array
  /** 1 / dⱼ, or 0 for a column that depends on earlier ones. */
  readonly inverse: Float64Array
}

export interface Square {
  /** [n, stride], symmetric. */
  readonly gram: Float64Array
  readonly stride: number
}

/**
 * Of the rows and columns of `moving`, in their order. Row by row: row k of what is left is row k less
 * Σ (uⱼₖ / dⱼ) rowⱼ over the rows above (Golub and Van Loan, 4.1).
 */
export function factorize(
  square: Square,
  l2: Float64Array,
  moving: readonly number[],
  open: (length: number) => GramKernel = openGramKernel,
): Factors {
  const n = moving.length
  const stride = wholeBlocks(n)
  const kernel = open((n + 1) * stride)
  const rows = kernel.memory.subarray(0, n * stride)
  const coefficients = kernel.memory.subarray(n * stride, (n + 1) * stride)
  const inverse = new Float64Array(n)
  for (let k = 0; k < n; k++) {
    const target = k * stride
    const source = moving[k]! * square.stride
    for (let i = k; i < n; i++) rows[target + i] = square.gram[source + moving[i]!]!
    rows[target + k]! += l2[moving[k]!]!
    const diagonal = rows[target + k]!
    for (let j = 0; j < k; j++) coefficients[j] = rows[j * stride + k]! * inverse[j]!
    // What stands left of the diagonal takes part in the block that holds it, and is never read.
    const from = k - (k % BLOCK)
    const above = { count: k, length: n - from, data: rows.subarray(from), stride }
    kernel.subtractRows(above, coefficients, rows.subarray(target + from))
    inverse[k] = rows[target + k]! > NO_PIVOT * diagonal ? 1 / rows[target + k]! : 0
  }
  return { n, stride, rows, inverse }
}

export function solve({ n, stride, rows, inverse }: Factors, right: Float64Array): Float64Array {
  const x = right.slice()
  for (let j = 0; j < n; j++) {
    const c = x[j]! * inverse[j]!
    for (let k = j + 1; k < n; k++) x[k]! -= c * rows[j * stride + k]!
  }
  for (let j = n - 1; j >= 0; j--) {
    let sum = x[j]!
    for (let k = j + 1; k < n; k++) sum -= rows[j * stride + k]! * x[k]!
    x[j] = sum * inverse[j]!
  }
  return x
}
