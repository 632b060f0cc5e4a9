/** The Gaussian problem as a quadratic of the coefficients, and what proves that it is solved. */

/** 1/2n ‖y − Xβ‖² = ½βᵀGβ − qᵀβ + ½ yy, all divided by n. */
export interface Quadratic {
  /** XᵀX / n: [p, p]. */
  readonly gram: Float64Array
  /** Xᵀy / n */
  readonly q: Float64Array
  /** yᵀy / n */
  readonly yy: number
}

/** Σ aⱼ|βⱼ| + ½ Σ bⱼβⱼ², and bounds. */
export interface Penalized {
  readonly l1: Float64Array
  readonly l2: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
}

export interface Fit {
  readonly beta: Float64Array
  /** q − Gβ: the correlations of the columns with what is left of y. */
  readonly residual: Float64Array
  /** Passes of coordinate descent that it took. */
  readonly passes: number
}

/** ‖y − Xβ‖² / n, as yy − βᵀ(q + residual); never below zero. */
export function meanSquare({ q, yy }: Quadratic, { beta, residual }: Fit): number {
  let sum = yy
  for (let j = 0; j < beta.length; j++) sum -= beta[j]! * (q[j]! + residual[j]!)
  return Math.max(0, sum)
}

/**
 * Duality gap of the elastic net by the scaled residual θ = s (y − Xβ), the elastic net being a lasso on X augmented by
 * √(n b) I (Zou and Hastie 2005, lemma 1): an upper bound of how far the objective is from its least value. NaN with
 * bounds, or without an l1 part on some coefficient, where this θ need not be feasible.
 */
export function dualityGap(problem: Quadratic, penalized: Penalized, fit: Fit): number {
  const { l1, l2, lower, upper } = penalized
  const { beta, residual } = fit
  let [penalty, ridge, fitted, scale] = [0, 0, 0, 1]
  for (let j = 0; j < beta.length; j++) {
    // Left out, and so no part of the problem.
    if (lower[j] === 0 && upper[j] === 0) continue
    if (lower[j] !== Number.NEGATIVE_INFINITY || upper[j] !== Number.POSITIVE_INFINITY || !(l1[j]! > 0)) {
      return Number.NaN
    }
    penalty += l1[j]! * Math.abs(beta[j]!)
    ridge += l2[j]! * beta[j]! ** 2
    fitted += problem.q[j]! * beta[j]!
    scale = Math.min(scale, l1[j]! / Math.abs(residual[j]! - l2[j]! * beta[j]!))
  }
  const square = meanSquare(problem, fit) + ridge
  const dual = scale * (problem.yy - fitted) - 0.5 * scale * scale * square
  return Math.max(0, 0.5 * square + penalty - dual)
}

/** The largest violation of the optimality conditions (KKT): by how much a subgradient misses zero. */
export function violation(penalized: Penalized, { beta, residual }: Fit): number {
  let largest = 0
  for (let j = 0; j < beta.length; j++) largest = Math.max(largest, violationOf(penalized, beta[j]!, residual[j]!, j))
  return largest
}

export function violationOf({ l1, l2, lower, upper }: Penalized, beta: number, residual: number, j: number): number {
  const pull = residual - l2[j]! * beta
  // The interval of −subgradient − pull's target: zero lies in it where nothing is left to gain in either direction.
  const up = pull - (beta >= 0 ? l1[j]! : -l1[j]!)
  const down = -pull - (beta <= 0 ? l1[j]! : -l1[j]!)
  return Math.max(0, beta < upper[j]! ? up : 0, beta > lower[j]! ? down : 0)
}
