/**
 * The elastic net over a path of strengths: 1/2n Σ wᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ Σ vⱼ(ρ|βⱼ| + (1 − ρ)/2 βⱼ²), each λ begun
 * where the last one ended (Friedman, Hastie and Tibshirani 2010).
 */

import { throwIfAborted } from '../engine/failures.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { checkDesign, type DenseMatrix } from './design.js'
import { type Moments, momentsOf } from './moments.js'
import { partialOut } from './partial.js'
import {
  correlationsAt,
  dualityGap,
  type Fit,
  meanSquare,
  type Penalized,
  type Point,
  type Quadratic,
  violation,
} from './quadratic.js'
import { type GramOptions, solveGram } from './solvers/gram.js'
import { workspaceOf } from './solvers/workspace.js'
import { type Standard, standardized } from './standard.js'

export interface PathOptions extends Pick<RunOptions, 'signal'> {
  /** ρ: 1 is the lasso, 0 the ridge. Default 1. */
  readonly l1Ratio?: number
  /** Strengths, in any order. Default: `nLambdas` from the least one that keeps all at zero, down. */
  readonly lambdas?: ArrayLike<number>
  /** Default 100. */
  readonly nLambdas?: number
  /** The last of them over the first. Default 1e-4, or 1e-2 where there are fewer rows than columns. */
  readonly lambdaMinRatio?: number
  /** wᵢ of the rows; only their ratios count. */
  readonly weights?: ArrayLike<number>
  /** vⱼ of the columns, brought to a mean of 1 as glmnet does; 0 leaves a column free, Infinity leaves it out. */
  readonly penaltyFactors?: ArrayLike<number>
  readonly lowerBounds?: ArrayLike<number>
  readonly upperBounds?: ArrayLike<number>
  /** Default true; it is never penalized. */
  readonly hasIntercept?: boolean
  /** Columns are brought to standard deviation 1 for the fit; coefficients are on the scale of the data. Default true. */
  readonly isStandardized?: boolean
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
  /** Of each λ, as a part of ½ TSS / n; NaN where there is none: with a λ of 0, or bounds but no penalty on a column. */
  readonly dualGap: readonly number[]
  /** The largest violation of the optimality conditions, on the scale of the fit. */
  readonly violation: readonly number[]
  readonly iterations: readonly number[]
}

/** Throws `DESIGN_…` and `PATH_OPTION`. */
export function path(x: DenseMatrix, y: ArrayLike<number>, options: PathOptions = {}): LinearPath {
  checkDesign(x, y, options.weights)
  checkPath(options, x.columns)
  const weights = options.weights
  return pathOf(momentsOf(x, y, weights === undefined ? {} : { weights }), options)
}

/** The path from moments alone. */
export function pathOf(moments: Moments, options: PathOptions): LinearPath {
  const { hasIntercept = true, isStandardized = true, tolerance = 1e-7, maxPasses = 10_000, signal } = options
  const standard = standardized(moments, { hasIntercept, isStandardized })
  const { problem } = standard
  const terms = termsOf(standard, options)
  const partial = partialOut(problem, terms.free)
  const limits = { tolerance: (tolerance * problem.yy) / (partial.problem.yy || 1), maxPasses }
  const start = emptyFit(partial.problem, terms, limits)
  const lambdas = lambdasOf(start, terms, moments, options)
  const workspace = workspaceOf(partial.problem)
  const models: LinearModel[] = []
  const [df, devianceRatio, dualGap, violations, iterations]: number[][] = [[], [], [], [], []]
  let last = start
  for (const lambda of lambdas) {
    throwIfAborted(signal)
    const held = terms.heldAt(lambda)
    last = solveGram(partial.problem, held, last, limits, workspace)
    // Certificates owe nothing to the solver but the coefficients.
    const gap = dualityGap(partial.problem, held, fitAt(partial.problem, last.beta))
    const fit = fitAt(problem, partial.complete(last.beta))
    models.push({ lambda, ...standard.unscaled(fit.beta) })
    df!.push(fit.beta.reduce((n, b) => n + Number(b !== 0), 0))
    devianceRatio!.push(problem.yy === 0 ? 0 : 1 - meanSquare(problem, fit) / problem.yy)
    dualGap!.push(problem.yy === 0 ? 0 : gap / (0.5 * problem.yy))
    violations!.push(violation(terms.at(lambda), fit))
    iterations!.push(last.passes)
  }
  return {
    lambdas,
    models,
    df: df!,
    devianceRatio: devianceRatio!,
    dualGap: dualGap!,
    violation: violations!,
    iterations: iterations!,
  }
}

const fitAt = (problem: Quadratic, beta: Float64Array): Point => ({ beta, residual: correlationsAt(problem, beta) })

interface Terms {
  readonly l1Ratio: number
  readonly factors: Float64Array
  /** Columns with neither a penalty nor bounds. */
  readonly free: readonly number[]
  at(lambda: number): Penalized
  /** With the free columns held at 0. */
  heldAt(lambda: number): Penalized
}

/** Penalties and bounds on the scale of the fit. */
function termsOf({ scales, constant, problem }: Standard, options: PathOptions): Terms {
  const { l1Ratio = 1, penaltyFactors, lowerBounds, upperBounds } = options
  const p = problem.q.length
  const given = Float64Array.from({ length: p }, (_, j) => penaltyFactors?.[j] ?? 1)
  const finite = given.filter(Number.isFinite)
  const mean = finite.reduce((sum, v) => sum + v, 0) / Math.max(1, finite.length)
  const factors = mean === 0 ? given : given.map((v) => v / mean)
  const out = new Set([...constant, ...[...given.keys()].filter((j) => given[j] === Number.POSITIVE_INFINITY)])
  const bound = (bounds: ArrayLike<number> | undefined, otherwise: number): Float64Array =>
    Float64Array.from({ length: p }, (_, j) => (out.has(j) ? 0 : (bounds?.[j] ?? otherwise) * scales[j]!))
  const lower = bound(lowerBounds, Number.NEGATIVE_INFINITY)
  const upper = bound(upperBounds, Number.POSITIVE_INFINITY)
  const isFree = (j: number): boolean => factors[j] === 0 && !out.has(j) && !isBounded(lower, upper, j)
  const free = [...factors.keys()].filter(isFree)
  const held = (bounds: Float64Array): Float64Array => bounds.map((v, j) => (isFree(j) ? 0 : v))
  const at = (lambda: number): Penalized => ({
    l1: factors.map((v, j) => (out.has(j) ? 0 : lambda * l1Ratio * v)),
    l2: factors.map((v, j) => (out.has(j) ? 0 : lambda * (1 - l1Ratio) * v)),
    lower,
    upper,
  })
  const [heldLower, heldUpper] = [held(lower), held(upper)]
  return {
    l1Ratio,
    factors: factors.map((v, j) => (out.has(j) ? 0 : v)),
    free,
    at,
    heldAt: (lambda) => ({ ...at(lambda), lower: heldLower, upper: heldUpper }),
  }
}

const isBounded = (lower: Float64Array, upper: Float64Array, j: number): boolean =>
  lower[j] !== Number.NEGATIVE_INFINITY || upper[j] !== Number.POSITIVE_INFINITY

/** The fit of what no penalty but bounds hold, all else at zero. */
function emptyFit(problem: Quadratic, terms: Terms, limits: GramOptions): Fit {
  const zero: Fit = { beta: new Float64Array(problem.q.length), residual: problem.q.slice(), passes: 0 }
  const { lower, upper, ...none } = terms.heldAt(0)
  const only = (bounds: Float64Array): Float64Array => bounds.map((v, j) => (terms.factors[j] === 0 ? v : 0))
  const penalized = { ...none, lower: only(lower), upper: only(upper) }
  if (penalized.lower.every((v, j) => v === 0 && penalized.upper[j] === 0)) return zero
  return solveGram(problem, penalized, zero, { ...limits, tolerance: limits.tolerance ** 2 })
}

/** The least λ that keeps all at zero is max |rⱼ| / ρ vⱼ; a ridge has none and takes that of ρ = 0.001, as glmnet does. */
function lambdasOf(start: Fit, { factors, l1Ratio }: Terms, { count }: Moments, options: PathOptions): Float64Array {
  if (options.lambdas !== undefined) return Float64Array.from(options.lambdas).sort((a, b) => b - a)
  const p = factors.length
  const { nLambdas = 100, lambdaMinRatio = count > p ? 1e-4 : 1e-2 } = options
  let most = 0
  for (let j = 0; j < p; j++) if (factors[j]! > 0) most = Math.max(most, Math.abs(start.residual[j]!) / factors[j]!)
  most /= Math.max(l1Ratio, 1e-3)
  // Without anything to explain every λ gives the same.
  if (most === 0) most = 1
  const step = nLambdas === 1 ? 0 : Math.log(lambdaMinRatio) / (nLambdas - 1)
  return Float64Array.from({ length: nLambdas }, (_, i) => most * Math.exp(step * i))
}

function checkPath(o: PathOptions, columns: number): void {
  const isList = (v: ArrayLike<number>, test: (x: number) => boolean): boolean =>
    v.length === columns && Array.from(v).every(test)
  const rules: readonly (readonly [string, unknown, boolean, string])[] = [
    ['l1Ratio', o.l1Ratio, (o.l1Ratio ?? 1) >= 0 && (o.l1Ratio ?? 1) <= 1, 'between 0 and 1'],
    ['nLambdas', o.nLambdas, Number.isSafeInteger(o.nLambdas ?? 1) && (o.nLambdas ?? 1) > 0, 'a whole number above 0'],
    [
      'lambdaMinRatio',
      o.lambdaMinRatio,
      (o.lambdaMinRatio ?? 0.1) > 0 && (o.lambdaMinRatio ?? 0.1) < 1,
      'between 0 and 1',
    ],
    ['tolerance', o.tolerance, (o.tolerance ?? 1) > 0, 'a number above 0'],
    ['maxPasses', o.maxPasses, (o.maxPasses ?? 1) >= 1, 'at least 1'],
    [
      'lambdas',
      o.lambdas,
      o.lambdas === undefined ||
        (o.lambdas.length > 0 && Array.from(o.lambdas).every((v) => v >= 0 && Number.isFinite(v))),
      'at least one number, none below 0',
    ],
    [
      'penaltyFactors',
      o.penaltyFactors,
      isList(o.penaltyFactors ?? new Float64Array(columns), (v) => v >= 0),
      'one number of at least 0 for each column',
    ],
    [
      'lowerBounds',
      o.lowerBounds,
      isList(o.lowerBounds ?? new Float64Array(columns), (v) => v <= 0),
      'one number of at most 0 for each column',
    ],
    [
      'upperBounds',
      o.upperBounds,
      isList(o.upperBounds ?? new Float64Array(columns), (v) => v >= 0),
      'one number of at least 0 for each column',
    ],
  ]
  const [where, value, , doc] = rules.find(([, , isRight]) => !isRight) ?? []
  if (where === undefined) return
  throw new PareError('PATH_OPTION', `${where} must be ${doc}`, {
    where,
    value,
    remedy: 'Change or leave out this option.',
  })
}
