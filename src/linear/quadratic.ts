/** The Gaussian problem as a quadratic of the coefficients, and what proves that it is solved. */

import { subtractRows } from '../kernels/gram-descent.js'

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

export interface Point {
  readonly beta: Float64Array
  /** q − Gβ: the correlations of the columns with what is left of y. */
  readonly residual: Float64Array
}

export interface Fit extends Point {
  /** Passes of coordinate descent that it took. */
  readonly passes: number
}

/** ‖y − Xβ‖² / n, as yy − βᵀ(q + residual); never below zero. */
export function meanSquare({ q, yy }: Pick<Quadratic, 'q' | 'yy'>, { beta, residual }: Point): number {
  let sum = yy
  for (let j = 0; j < beta.length; j++) sum -= beta[j]! * (q[j]! + residual[j]!)
  return Math.max(0, sum)
}

/** q − Gβ from nothing but the coefficients: what a certificate is computed from. */
export function correlationsAt({ gram, q }: Pick<Quadratic, 'gram' | 'q'>, beta: Float64Array): Float64Array {
  const p = q.length
  const residual = q.slice()
  subtractRows({ count: p, length: p, data: gram, stride: p }, beta, residual)
  return residual
}

/** With the correlations computed from nothing but the coefficients. */
export const pointAt = (problem: Pick<Quadratic, 'gram' | 'q'>, beta: Float64Array): Point => ({
  beta,
  residual: correlationsAt(problem, beta),
})

/**
 * An upper bound of how far the objective is from its least value: the smaller one of two. NaN where there is neither,
 * which is so with a column that no penalty holds. `errors` of the correlations widen both.
 */
export function dualityGap(
  problem: Pick<Quadratic, 'q' | 'yy'>,
  penalized: Penalized,
  fit: Point,
  errors?: Float64Array,
): number {
  const scaled = scaledGap(problem, penalized, fit) + (errors ? hiddenGap(problem.yy, penalized, fit, errors) : 0)
  const convex = convexityGap(penalized, fit, errors)
  if (Number.isNaN(scaled)) return convex
  return Number.isNaN(convex) ? scaled : Math.min(scaled, convex)
}

/**
 * What errors e of the correlations may hide of the scaled gap: Σ|βⱼ|eⱼ of the square, and a scale that would have been
 * smaller by a part m = max eⱼ/aⱼ takes m Σ aⱼ|βⱼ| + ½ m² yy from the dual; bounds take theirs at once.
 */
function hiddenGap(
  yy: number,
  { l1, lower, upper }: Penalized,
  { beta, residual }: Point,
  errors: Float64Array,
): number {
  let [square, penalty, most, beyond] = [0, 0, 0, 0]
  for (let j = 0; j < beta.length; j++) {
    const e = errors[j]!
    square += Math.abs(beta[j]!) * e
    penalty += l1[j]! * Math.abs(beta[j]!)
    const end = residual[j]! > 0 ? upper[j]! : -lower[j]!
    if (end < Number.POSITIVE_INFINITY) beyond += end * e
    else if (l1[j]! > 0) most = Math.max(most, e / l1[j]!)
  }
  return square + penalty * most + 0.5 * most * most * yy + beyond
}

/**
 * By the scaled residual θ = s (y − Xβ), the elastic net being a lasso on X augmented by √(n b) I (Zou and Hastie 2005,
 * lemma 1). With v = s (residual − b β), a column takes h*(v) = max over lower ≤ β ≤ upper of vβ − a|β| from the dual,
 * and s is the largest one up to 1 that keeps this finite. NaN where a column has neither an l1 penalty nor bounds.
 */
function scaledGap(problem: Pick<Quadratic, 'q' | 'yy'>, { l1, l2, lower, upper }: Penalized, fit: Point): number {
  const { beta, residual } = fit
  const { q, yy } = problem
  let [penalty, ridge, fitted, explained, scale] = [0, 0, 0, 0, 1]
  // What is 0 and below its threshold adds nothing anywhere, and is most.
  const isIdle = (j: number): boolean => beta[j] === 0 && Math.abs(residual[j]!) <= l1[j]!
  let isBounded = false
  for (let j = 0; j < beta.length; j++) {
    if (isIdle(j)) continue
    const b = beta[j]!
    penalty += l1[j]! * Math.abs(b)
    ridge += l2[j]! * b * b
    fitted += q[j]! * b
    explained += residual[j]! * b
    const pull = residual[j]! - l2[j]! * b
    // Without branches that nobody could foretell, where there are no bounds.
    if (lower[j] === Number.NEGATIVE_INFINITY && upper[j] === Number.POSITIVE_INFINITY) {
      if (l1[j] !== 0) scale = Math.min(scale, l1[j]! / Math.abs(pull))
      else if (pull !== 0) return Number.NaN
      continue
    }
    const end = pull > 0 ? upper[j]! : -lower[j]!
    if (end !== Number.POSITIVE_INFINITY) isBounded = true
    else if (Math.abs(pull) > l1[j]!) {
      if (l1[j] === 0) return Number.NaN
      scale = Math.min(scale, l1[j]! / Math.abs(pull))
    }
  }
  let beyond = 0
  for (let j = 0; isBounded && j < beta.length; j++) {
    if (isIdle(j)) continue
    const pull = scale * (residual[j]! - l2[j]! * beta[j]!)
    const end = pull > 0 ? upper[j]! : -lower[j]!
    if (end > 0 && end < Number.POSITIVE_INFINITY) beyond += end * Math.max(0, Math.abs(pull) - l1[j]!)
  }
  const square = Math.max(0, yy - fitted - explained) + ridge
  const dual = scale * (yy - fitted) - 0.5 * scale * scale * square - beyond
  return Math.max(0, 0.5 * square + penalty - dual)
}

/** Σ sⱼ² / 2bⱼ with the least subgradient s: the objective is strongly convex with bⱼ. NaN where sⱼ is not 0 but bⱼ is. */
function convexityGap(penalized: Penalized, { beta, residual }: Point, errors?: Float64Array): number {
  let sum = 0
  for (let j = 0; j < beta.length; j++) {
    const isHeld = penalized.lower[j] === 0 && penalized.upper[j] === 0
    const s = violationOf(penalized, beta[j]!, residual[j]!, j) + (errors && !isHeld ? errors[j]! : 0)
    if (s === 0) continue
    if (!(penalized.l2[j]! > 0)) return Number.NaN
    sum += (0.5 * s * s) / penalized.l2[j]!
  }
  return sum
}

/** The largest violation of the optimality conditions (KKT): by how much a subgradient misses zero. */
export function violation(penalized: Penalized, { beta, residual }: Point): number {
  let largest = 0
  for (let j = 0; j < beta.length; j++) largest = Math.max(largest, violationOf(penalized, beta[j]!, residual[j]!, j))
  return largest
}

export function violationOf({ l1, l2, lower, upper }: Penalized, beta: number, residual: number, j: number): number {
  if (beta === 0 && Math.abs(residual) <= l1[j]!) return 0
  const pull = residual - l2[j]! * beta
  // The interval of −subgradient − pull's target: zero lies in it where nothing is left to gain in either direction.
  const up = pull - (beta >= 0 ? l1[j]! : -l1[j]!)
  const down = -pull - (beta <= 0 ? l1[j]! : -l1[j]!)
  return Math.max(0, beta < upper[j]! ? up : 0, beta > lower[j]! ? down : 0)
}

/** Of the deviation of y, what a column moves where rounding alone moved it. */
const DUST = 1e-12

/** Of equal columns one is enough for the l1 penalty, but rounding gives a little to the others. `squares`: zⱼᵀzⱼ. */
export function withoutDust(
  yy: number,
  squares: (j: number) => number,
  { l1 }: Penalized,
  beta: Float64Array,
): Float64Array {
  const least = DUST * DUST * yy
  const kept = beta.slice()
  for (let j = 0; j < kept.length; j++) {
    const b = kept[j]!
    if (b !== 0 && l1[j]! > 0 && b * b * squares(j) <= least) kept[j] = 0
  }
  return kept
}

/** Of a Gram matrix. */
export const diagonalOf =
  ({ gram, q }: Pick<Quadratic, 'gram' | 'q'>) =>
  (j: number): number =>
    gram[j * (q.length + 1)]!
