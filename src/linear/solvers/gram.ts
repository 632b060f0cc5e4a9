/**
 * The elastic net from its Gram matrix: coordinate descent on a working set that grows by the optimality conditions,
 * with Anderson extrapolation (Bertrand and Massias 2021, algorithm 2). Its cost does not depend on the number of rows.
 */

import { type GramTerms, gramPass } from '../../kernels/gram-descent.js'
import { dualityGap, type Fit, type Penalized, type Quadratic, violation, violationOf } from '../quadratic.js'
import { extrapolated } from './anderson.js'

export interface GramOptions {
  /**
   * Largest duality gap, as a part of ½ yᵀy / n; where there is none (see `dualityGap`) the largest violation of the
   * optimality conditions squared, as a part of the same.
   */
  readonly tolerance: number
  /** Passes in all, at most. */
  readonly maxPasses: number
}

/** Passes that an extrapolation looks back on. */
const MEMORY = 5

/** Solves from `start` on; what did not converge within the passes says so by its gap. */
export function solveGram(problem: Quadratic, penalized: Penalized, start: Fit, options: GramOptions): Fit {
  const { tolerance, maxPasses } = options
  const beta = start.beta.slice()
  const residual = start.residual.slice()
  let passes = 0
  let inner = 0.1 * tolerance * problem.yy
  let still = 0
  while (passes < maxPasses) {
    const fit: Fit = { beta, residual, passes }
    if (isSolved(problem, penalized, fit, tolerance)) break
    const working = workingSet(penalized, fit)
    const before = Float64Array.from(working, (j) => beta[j]!)
    const made = descend(compact(problem, penalized, working), pick(beta, working), pick(residual, working), {
      tolerance: inner,
      most: maxPasses - passes,
    })
    passes += made.passes
    const largest = moveTo(problem, fit, working, before, made.beta)
    // What is left to gain is too small for the numbers.
    still = largest === 0 ? still + 1 : 0
    if (still === 3) break
    inner *= 0.1
  }
  return { beta, residual, passes }
}

const pick = (values: Float64Array, at: readonly number[]): Float64Array => Float64Array.from(at, (j) => values[j]!)

function isSolved(problem: Quadratic, penalized: Penalized, fit: Fit, tolerance: number): boolean {
  const gap = dualityGap(problem, penalized, fit)
  const most = tolerance * 0.5 * problem.yy
  return Number.isNaN(gap) ? violation(penalized, fit) ** 2 <= most : gap <= most
}

/** What is not zero, and what would not stay zero. */
function workingSet(penalized: Penalized, { beta, residual }: Fit): readonly number[] {
  const working: number[] = []
  for (let j = 0; j < beta.length; j++)
    if (beta[j] !== 0 || violationOf(penalized, 0, residual[j]!, j) > 0) working.push(j)
  return working
}

/** Rows and columns of what moves. */
function compact({ gram, q }: Quadratic, { l1, l2, lower, upper }: Penalized, working: readonly number[]): GramTerms {
  const n = working.length
  const part = new Float64Array(n * n)
  for (let a = 0; a < n; a++) {
    const row = working[a]! * q.length
    for (let b = 0; b < n; b++) part[a * n + b] = gram[row + working[b]!]!
  }
  return {
    gram: part,
    l1: pick(l1, working),
    l2: pick(l2, working),
    lower: pick(lower, working),
    upper: pick(upper, working),
  }
}

/** Passes until none changes anything by more than the tolerance; each fifth one is extrapolated. */
function descend(
  terms: GramTerms,
  beta: Float64Array,
  residual: Float64Array,
  { tolerance, most }: { readonly tolerance: number; readonly most: number },
): { readonly beta: Float64Array; readonly passes: number } {
  let history: readonly Float64Array[] = [beta.slice()]
  for (let passes = 1; passes <= most; passes++) {
    if (gramPass(terms, beta, residual) <= tolerance) return { beta, passes }
    history = [...history, beta.slice()]
    if (history.length <= MEMORY) continue
    const better = extrapolated(terms, history, residual)
    if (better !== null) {
      beta.set(better.beta)
      residual.set(better.residual)
    }
    history = [beta.slice()]
  }
  return { beta, passes: most }
}

/** Brings all correlations up to date; returns the largest change. */
function moveTo(
  { gram }: Quadratic,
  { beta, residual }: Fit,
  working: readonly number[],
  before: Float64Array,
  after: Float64Array,
): number {
  let largest = 0
  for (const [k, j] of working.entries()) {
    const change = after[k]! - before[k]!
    if (change === 0) continue
    largest = Math.max(largest, Math.abs(change))
    beta[j] = after[k]!
    const row = j * beta.length
    for (let i = 0; i < beta.length; i++) residual[i]! -= change * gram[row + i]!
  }
  return largest
}
