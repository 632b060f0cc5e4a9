/** Ordinary least squares: the unpenalized model, with what its coefficients are worth. */

import { leastSquares } from '../linalg/least-squares.js'
import { checkDesign, type DenseMatrix, stridesOf } from './design.js'

export interface OlsOptions {
  readonly weights?: ArrayLike<number>
  /** Default true. */
  readonly hasIntercept?: boolean
}

export interface Ols {
  readonly intercept: number
  readonly coefficients: Float64Array
  /** Of the coefficients, and of the intercept; NaN where a column was left out or no degrees of freedom are left. */
  readonly standardErrors: Float64Array
  readonly interceptError: number
  /** √(RSS / (n − rank)) */
  readonly residualDeviation: number
  readonly r2: number
  readonly rank: number
  /** Of the columns brought to length 1. */
  readonly condition: number
  /** What the reader must know, in words: columns that the others explain, digits that are lost. */
  readonly warnings: readonly string[]
}

/** From here on fewer than half of float64's digits hold. */
const ILL = 1e8

/** Throws `DESIGN_…`. */
export function ols(x: DenseMatrix, y: ArrayLike<number>, { weights, hasIntercept = true }: OlsOptions = {}): Ols {
  checkDesign(x, y, weights)
  const n = x.rows
  const lead = Number(hasIntercept)
  const roots = Float64Array.from({ length: n }, (_, i) => (weights === undefined ? 1 : Math.sqrt(weights[i]!)))
  const [byRow, byColumn] = stridesOf(x)
  const a = new Float64Array(n * (x.columns + lead))
  for (let i = 0; i < n; i++) {
    if (hasIntercept) a[i] = roots[i]!
    for (let j = 0; j < x.columns; j++) a[(j + lead) * n + i] = roots[i]! * x.data[i * byRow + j * byColumn]!
  }
  const target = roots.map((r, i) => r * y[i]!)
  const { beta, rss, inverseDiagonal, rank, condition } = leastSquares(a, target, x.columns + lead)
  const freedom = roots.filter((r) => r > 0).length - rank
  const variance = freedom > 0 ? rss / freedom : Number.NaN
  const errors = inverseDiagonal.map((v) => Math.sqrt(variance * v))
  return {
    intercept: hasIntercept ? beta[0]! : 0,
    coefficients: beta.slice(lead),
    standardErrors: errors.slice(lead),
    interceptError: hasIntercept ? errors[0]! : 0,
    residualDeviation: Math.sqrt(variance),
    r2: 1 - rss / totalSquares(target, roots, hasIntercept),
    rank,
    condition,
    warnings: warningsOf(x.columns + lead - rank, condition),
  }
}

/** Σ w (y − mean)², or about 0. */
function totalSquares(scaled: Float64Array, roots: Float64Array, hasIntercept: boolean): number {
  const weight = roots.reduce((sum, r) => sum + r * r, 0)
  const mean = hasIntercept ? scaled.reduce((sum, v, i) => sum + v * roots[i]!, 0) / weight : 0
  return scaled.reduce((sum, v, i) => sum + (v - roots[i]! * mean) ** 2, 0)
}

function warningsOf(dependent: number, condition: number): readonly string[] {
  return [
    ...(dependent > 0
      ? [`${dependent === 1 ? 'One column is' : `${dependent} columns are`} explained by others and left out.`]
      : []),
    ...(condition > ILL
      ? [
          `The columns are nearly dependent (condition ${condition.toExponential(1)}): about ${Math.max(0, Math.round(16 - Math.log10(condition)))} digits of the coefficients hold.`,
        ]
      : []),
  ]
}
