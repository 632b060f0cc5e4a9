/** How many principal components to keep, from the variances of all of them. */

import { PareError } from '../util/errors.js'

export type ComponentCount = number | 'mle' | 'bic'

/** What the count is taken from. */
export interface CountFacts {
  /** Rows, and columns: n and d. */
  readonly rows: number
  readonly columns: number
}

/** Throws `PCA_COMPONENTS` for what is no count, no part and no criterion, or cannot be had from so many rows and columns. */
export function checkCount(count: ComponentCount | undefined, { rows, columns }: CountFacts): void {
  const most = Math.min(rows, columns)
  if (count === undefined || count === 'bic') return
  if (count === 'mle') {
    if (rows < columns)
      throw new PareError('PCA_COMPONENTS', "'mle' needs as many rows as columns", {
        where: 'nComponents',
        value: `${rows} rows, ${columns} columns`,
        remedy: "Give more rows, 'bic', a count, or a part of the variance.",
      })
    return
  }
  const isCount = Number.isInteger(count) && count >= 1 && count <= most
  if (typeof count === 'number' && (isCount || (count > 0 && count < 1))) return
  throw new PareError('PCA_COMPONENTS', 'there are not so many components', {
    where: 'nComponents',
    value: count,
    remedy: `Give a count from 1 to ${most} (rows or columns, whichever are fewer), a part of the variance between 0 and 1, 'mle' or 'bic'.`,
  })
}

/** Whether variances of all components must be known first. */
export const needsAll = (count: ComponentCount | undefined): boolean =>
  typeof count === 'string' || (count !== undefined && count < 1)

/** `variances`: of all components, descending, min(rows, columns) of them. */
export function countOf(count: ComponentCount | undefined, variances: Float64Array, facts: CountFacts): number {
  const all = variances.length
  if (count === undefined) return all
  if (count === 'mle') return best(laplaceEvidence(spectrumOf(variances, facts), facts.rows))
  if (count === 'bic') return best(bicEvidence(spectrumOf(variances, facts), facts.rows))
  if (count >= 1) return count
  const total = variances.reduce((sum, v) => sum + v, 0)
  // The fewest that explain more than this part.
  let [k, sum] = [0, 0]
  while (k < all && sum <= count * total) sum += variances[k++]!
  return Math.max(1, k)
}

/** A part of the largest variance that rounding alone may have left. */
const NOTHING = 1e-14

/** Of d values: those that rows leave no room for are zero. */
function spectrumOf(variances: Float64Array, { columns }: CountFacts): Float64Array {
  const values = new Float64Array(columns)
  values.set(variances)
  return values.map((v) => (v > NOTHING * values[0]! ? v : 0))
}

/** Of k = 1, 2, … the one with the most evidence, the smaller one of two alike. */
function best(evidence: readonly number[]): number {
  let at = 0
  for (let k = 1; k < evidence.length; k++) if (evidence[k]! > evidence[at]!) at = k
  return at + 1
}

/**
 * ln p(D | k) for k = 1 … d − 1 by Laplace's method (Minka, Automatic choice of dimensionality for PCA, NIPS 2000,
 * eq. 30 to 34), as far as there is variance. Of two variances that are equal, the difference counts as rounding.
 */
function laplaceEvidence(lambda: Float64Array, n: number): readonly number[] {
  const d = lambda.length
  const { log, PI } = Math
  const logGamma = halfLogGammas(d)
  const tail = tailSums(lambda)
  const gap = (i: number, j: number): number => log(Math.max(lambda[i]! - lambda[j]!, 2 ** -52 * lambda[0]!))
  const evidence: number[] = []
  // Sums that a further component adds to: ln p(U), Σ ln λ, Σ over pairs within, and Σᵢ Σⱼ ln(λᵢ − λⱼ) beyond.
  let [prior, logs, within, beyond] = [0, 0, 0, 0]
  for (let k = 1; k < d && lambda[k - 1]! > 0; k++) {
    const last = k - 1
    prior += logGamma[d - k + 1]! - (log(PI) * (d - k + 1)) / 2 - log(2)
    logs += log(lambda[last]!)
    for (let i = 0; i < last; i++) {
      within += gap(i, last) + log(Math.max(1 / lambda[last]! - 1 / lambda[i]!, 2 ** -52 / lambda[last]!)) + log(n)
      beyond -= gap(i, last)
    }
    for (let j = k; j < d; j++) beyond += gap(last, j)
    const v = Math.max(2 ** -52 * lambda[0]!, tail[k]! / (d - k))
    let hessian = within + beyond
    for (let i = 0; i < k; i++) hessian += (d - k) * (log(Math.max(1 / v - 1 / lambda[i]!, 2 ** -52 / v)) + log(n))
    const m = d * k - (k * (k + 1)) / 2
    evidence.push(
      prior -
        (n * logs) / 2 -
        (n * (d - k) * log(v)) / 2 +
        (log(2 * PI) * (m + k)) / 2 -
        hessian / 2 -
        (k * log(n)) / 2,
    )
  }
  return evidence
}

/** The terms of it that grow with n (Minka 2000, section 3.1). */
function bicEvidence(lambda: Float64Array, n: number): readonly number[] {
  const d = lambda.length
  const tail = tailSums(lambda)
  const evidence: number[] = []
  let logs = 0
  // Without any variance beyond, the likelihood has no bound.
  for (let k = 1; k < d && tail[k]! > 0; k++) {
    logs += Math.log(lambda[k - 1]!)
    const m = d * k - (k * (k + 1)) / 2
    evidence.push(-(n / 2) * (logs + (d - k) * Math.log(tail[k]! / (d - k))) - ((m + k) / 2) * Math.log(n))
  }
  return evidence
}

/** Σ of what begins at each place. */
function tailSums(lambda: Float64Array): Float64Array {
  const tail = new Float64Array(lambda.length + 1)
  for (let k = lambda.length - 1; k >= 0; k--) tail[k] = tail[k + 1]! + lambda[k]!
  return tail
}

/** ln Γ(m / 2) for m = 0 … d (the first one unused), by Γ(x + 1) = x Γ(x). */
function halfLogGammas(d: number): Float64Array {
  const out = new Float64Array(Math.max(3, d + 1))
  out[1] = Math.log(Math.PI) / 2
  for (let m = 3; m <= d; m++) out[m] = out[m - 2]! + Math.log(m / 2 - 1)
  return out
}
