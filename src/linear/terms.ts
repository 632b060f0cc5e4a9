/** What holds the coefficients of a path down: penalties, factors and bounds, and the strengths that it runs through. */

import { PareError } from '../util/errors.js'
import type { Penalized } from './quadratic.js'
import type { Standard } from './standard.js'

export interface TermOptions {
  /** ρ: 1 is the lasso, 0 the ridge. Default 1. */
  readonly l1Ratio?: number
  /** Strengths, in any order. Default: `nLambdas` from the least one that keeps all at zero, down. */
  readonly lambdas?: ArrayLike<number>
  /** Default 100. */
  readonly nLambdas?: number
  /** The last of them over the first. Default 1e-4 ρ, or 1e-2 ρ where there are no more rows than columns; ρ at least 1e-3. */
  readonly lambdaMinRatio?: number
  /** vⱼ of the columns, brought to a mean of 1 as glmnet does; 0 leaves a column free, Infinity leaves it out. */
  readonly penaltyFactors?: ArrayLike<number>
  readonly lowerBounds?: ArrayLike<number>
  readonly upperBounds?: ArrayLike<number>
  /** Default true; it is never penalized. */
  readonly hasIntercept?: boolean
  /** Columns are brought to standard deviation 1 for the fit; coefficients are on the scale of the data. Default true. */
  readonly isStandardized?: boolean
}

export interface Terms {
  readonly l1Ratio: number
  readonly factors: Float64Array
  /** Columns with neither a penalty nor bounds. */
  readonly free: readonly number[]
  at(lambda: number): Penalized
  /** With the free columns held at 0. */
  heldAt(lambda: number): Penalized
  /** All held at 0 but columns with bounds and no penalty; null without such. */
  onlyBounded(): Penalized | null
}

/** Penalties and bounds on the scale of the fit. */
export function termsOf({ scales, constant }: Pick<Standard, 'scales' | 'constant'>, options: TermOptions): Terms {
  const { l1Ratio = 1, penaltyFactors, lowerBounds, upperBounds } = options
  const p = scales.length
  const factors = factorsOf(penaltyFactors, p)
  const out = Uint8Array.from(factors, (v) => Number(v === Number.POSITIVE_INFINITY))
  for (const j of constant) out[j] = 1
  const bound = (bounds: ArrayLike<number> | undefined, otherwise: number): Float64Array =>
    Float64Array.from({ length: p }, (_, j) => (out[j] === 1 ? 0 : (bounds?.[j] ?? otherwise) * scales[j]!))
  const lower = bound(lowerBounds, Number.NEGATIVE_INFINITY)
  const upper = bound(upperBounds, Number.POSITIVE_INFINITY)
  const isFree = (j: number): boolean => factors[j] === 0 && out[j] === 0 && !isBounded(lower, upper, j)
  const held = (bounds: Float64Array): Float64Array => bounds.map((v, j) => (isFree(j) ? 0 : v))
  const [heldLower, heldUpper] = [held(lower), held(upper)]
  const strengths = factors.map((v, j) => (out[j] === 1 ? 0 : v))
  const at = (lambda: number): Penalized => ({
    l1: times(strengths, lambda * l1Ratio),
    l2: times(strengths, lambda * (1 - l1Ratio)),
    lower,
    upper,
  })
  return {
    l1Ratio,
    factors: strengths,
    free: [...factors.keys()].filter(isFree),
    at,
    heldAt: (lambda) => ({ ...at(lambda), lower: heldLower, upper: heldUpper }),
    onlyBounded() {
      const only = (bounds: Float64Array): Float64Array => bounds.map((v, j) => (strengths[j] === 0 ? v : 0))
      const found = { ...at(0), lower: only(heldLower), upper: only(heldUpper) }
      return found.lower.every((v, j) => v === 0 && found.upper[j] === 0) ? null : found
    },
  }
}

/** Brought to a mean of 1. */
export function factorsOf(given: ArrayLike<number> | undefined, columns: number): Float64Array {
  const factors = Float64Array.from({ length: columns }, (_, j) => given?.[j] ?? 1)
  const mean = meanFactor(factors)
  return factors.map((v) => v / mean)
}

/** The mean of those that do not leave a column out, by which factors are divided; 1 where that says nothing. */
export function meanFactor(factors: Float64Array): number {
  const finite = factors.filter(Number.isFinite)
  return finite.reduce((sum, v) => sum + v, 0) / finite.length || 1
}

/** A plain loop, as it is over all columns for each λ. */
function times(values: Float64Array, factor: number): Float64Array {
  const out = new Float64Array(values.length)
  for (let j = 0; j < out.length; j++) out[j] = factor * values[j]!
  return out
}

const isBounded = (lower: Float64Array, upper: Float64Array, j: number): boolean =>
  lower[j] !== Number.NEGATIVE_INFINITY || upper[j] !== Number.POSITIVE_INFINITY

/**
 * The least λ that keeps all at zero is max |rⱼ| / ρ vⱼ; a ridge has none and takes that of ρ = 0.001, as glmnet does, of
 * a y of standard deviation 1: what a ridge does to y owes nothing to its unit. The last one is the same for every ρ, where
 * glmnet's would still hold a ridge down.
 */
export function lambdasOf(
  residual: Float64Array,
  { factors, l1Ratio }: Pick<Terms, 'factors' | 'l1Ratio'>,
  { count, deviation }: { readonly count: number; readonly deviation: number },
  options: TermOptions,
): Float64Array {
  if (options.lambdas !== undefined) return Float64Array.from(options.lambdas).sort((a, b) => b - a)
  const p = factors.length
  const share = Math.max(l1Ratio, 1e-3)
  const { nLambdas = 100, lambdaMinRatio = share * (count > p ? 1e-4 : 1e-2) } = options
  let most = 0
  for (let j = 0; j < p; j++) if (factors[j]! > 0) most = Math.max(most, Math.abs(residual[j]!) / factors[j]!)
  most /= share
  if (l1Ratio === 0 && deviation > 0) most /= deviation
  // Without anything to explain every λ gives the same.
  if (most === 0) most = 1
  const step = nLambdas === 1 ? 0 : Math.log(lambdaMinRatio) / (nLambdas - 1)
  return Float64Array.from({ length: nLambdas }, (_, i) => most * Math.exp(step * i))
}

interface Limits {
  readonly tolerance?: number
  readonly maxPasses?: number
}

/** Throws `PATH_OPTION`. */
export function checkTerms(o: TermOptions & Limits, columns: number): void {
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
  throw wrongOption(where, value, doc!)
}

export const wrongOption = (where: string, value: unknown, doc: string): PareError =>
  new PareError('PATH_OPTION', `${where} must be ${doc}`, { where, value, remedy: 'Change or leave out this option.' })
