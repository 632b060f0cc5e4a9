/** What cross-validation says of each strength, from the errors of its folds. */

export interface CrossValidationSummary {
  /** Of the rows left out, by λ: the mean over folds, weighted by their rows. */
  readonly error: readonly number[]
  /** Its standard error, √(Σ weighted (errorₖ − error)² / (K − 1)). */
  readonly standardError: readonly number[]
  /** By fold, then by λ. */
  readonly foldErrors: readonly (readonly number[])[]
  /** Index of the least error, and of the largest λ whose error is within one standard error of it. */
  readonly least: number
  readonly oneStandardError: number
}

/** `weights`: of the rows of each fold. */
export function summaryOf(
  foldErrors: readonly (readonly number[])[],
  weights: readonly number[],
): CrossValidationSummary {
  const total = weights.reduce((sum, w) => sum + w, 0)
  const mean = (f: (k: number) => number): number => weights.reduce((sum, w, k) => sum + (w / total) * f(k), 0)
  const error = foldErrors[0]!.map((_, i) => mean((k) => foldErrors[k]![i]!))
  const standardError = error.map((e, i) =>
    Math.sqrt(mean((k) => (foldErrors[k]![i]! - e) ** 2) / (weights.length - 1)),
  )
  const least = error.indexOf(Math.min(...error))
  const limit = error[least]! + standardError[least]!
  return { error, standardError, foldErrors, least, oneStandardError: error.findIndex((e) => e <= limit) }
}
