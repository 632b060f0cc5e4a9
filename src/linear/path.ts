/**
 * The elastic net over a path of strengths: 1/2n Σ wᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ Σ vⱼ(ρ|βⱼ| + (1 − ρ)/2 βⱼ²), each λ begun
 * where the last one ended (Friedman, Hastie and Tibshirani 2010).
 */

import { throwIfAborted } from '../engine/failures.js'
import type { RunOptions } from '../util/env.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type Moments, momentsOf } from './moments.js'
import { dualityGap, type Fit, meanSquare, type Quadratic, violation } from './quadratic.js'
import { solveGram } from './solvers/gram.js'
import { standardized } from './standard.js'
import { checkTerms, lambdasOf, type TermOptions, type Terms, termsOf } from './terms.js'

export interface PathOptions extends TermOptions, Pick<RunOptions, 'signal'> {
  /** wᵢ of the rows; only their ratios count. */
  readonly weights?: ArrayLike<number>
  /** Largest duality gap, as a part of that of the empty model. Default 1e-7. */
  readonly tolerance?: number
  /** Passes of coordinate descent for one λ, at most. Default 10,000. */
  readonly maxPasses?: number
}

export interface LinearModel {
  readonly lambda: number
  readonly coefficients: Float64Array
  readonly intercept: number
}

export interface LinearPath {
  /** From the largest down. */
  readonly lambdas: Float64Array
  readonly models: readonly LinearModel[]
  /** Coefficients that are not zero. */
  readonly df: readonly number[]
  /** 1 − RSS / TSS, of the rows that it was fitted on. */
  readonly devianceRatio: readonly number[]
  /** Of each λ, as a part of ½ TSS / n; NaN where there is none (bounds, columns without an l1 penalty). */
  readonly dualGap: readonly number[]
  /** The largest violation of the optimality conditions, on the scale of the fit. */
  readonly violation: readonly number[]
  readonly iterations: readonly number[]
}

/** Throws `DESIGN_…` and `PATH_OPTION`. */
export function path(x: DenseMatrix, y: ArrayLike<number>, options: PathOptions = {}): LinearPath {
  checkDesign(x, y, options.weights)
  checkTerms(options, x.columns)
  const weights = options.weights
  return pathOf(momentsOf(x, y, weights === undefined ? {} : { weights }), options)
}

/** The path from moments alone. */
export function pathOf(moments: Moments, options: PathOptions): LinearPath {
  const { hasIntercept = true, isStandardized = true, tolerance = 1e-7, maxPasses = 10_000, signal } = options
  const standard = standardized(moments, { hasIntercept, isStandardized })
  const { problem } = standard
  const terms = termsOf(standard, options)
  const start = emptyFit(problem, terms, { tolerance, maxPasses })
  const lambdas = lambdasOf(start.residual, terms, moments.count, options)
  const fits: Fit[] = []
  const models: LinearModel[] = []
  const [df, devianceRatio, dualGap, violations]: number[][] = [[], [], [], []]
  for (const lambda of lambdas) {
    throwIfAborted(signal)
    const penalized = terms.at(lambda)
    const fit = exact(problem, solveGram(problem, penalized, fits.at(-1) ?? start, { tolerance, maxPasses }))
    fits.push(fit)
    models.push({ lambda, ...standard.unscaled(fit.beta) })
    df!.push(fit.beta.reduce((n, b) => n + Number(b !== 0), 0))
    devianceRatio!.push(problem.yy === 0 ? 0 : 1 - meanSquare(problem, fit) / problem.yy)
    dualGap!.push(problem.yy === 0 ? 0 : dualityGap(problem, penalized, fit) / (0.5 * problem.yy))
    violations!.push(violation(penalized, fit))
  }
  return {
    lambdas,
    models,
    df: df!,
    devianceRatio: devianceRatio!,
    dualGap: dualGap!,
    violation: violations!,
    iterations: fits.map((f) => f.passes),
  }
}

/** With correlations computed anew: what many small changes left of rounding is gone. */
export function exact({ gram, q }: Quadratic, { beta, passes }: Fit): Fit {
  const p = q.length
  const residual = q.slice()
  for (let j = 0; j < p; j++) {
    if (beta[j] === 0) continue
    for (let k = 0; k < p; k++) residual[k]! -= beta[j]! * gram[j * p + k]!
  }
  return { beta, residual, passes }
}

/** The fit of what no penalty holds, all else at zero. */
export function emptyFit(problem: Quadratic, terms: Terms, options: { tolerance: number; maxPasses: number }): Fit {
  const zero: Fit = { beta: new Float64Array(problem.q.length), residual: problem.q.slice(), passes: 0 }
  if (!terms.factors.includes(0)) return zero
  const free = terms.at(0)
  const held = terms.factors.map((v) => (v === 0 ? 1 : 0))
  const only = {
    ...free,
    lower: free.lower.map((v, j) => (held[j] ? v : 0)),
    upper: free.upper.map((v, j) => (held[j] ? v : 0)),
  }
  return exact(problem, solveGram(problem, only, zero, { ...options, tolerance: options.tolerance ** 2 }))
}
