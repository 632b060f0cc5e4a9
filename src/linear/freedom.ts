/**
 * Effective degrees of freedom of the models of a path, Σ cov(ŷᵢ, yᵢ)/σ²: what criteria count. With A the columns that
 * are not zero and M the second derivative of the penalty there, tr G_AA (G_AA + M)⁻¹: the number of columns of a lasso
 * (Zou, Hastie and Tibshirani 2007), less where a ridge shrinks them (Tibshirani and Taylor 2012, eq. 26) or a group
 * does (Vaiter et al. 2012, thm. 1). For MCP and SCAD, whose M is negative where it is not 0,
 * and for the adaptive lasso, whose weights follow y too, the number of columns.
 */

import type { ModelOptions } from './gaussian-model.js'
import { columnsOf } from './group-path.js'
import type { Moments } from './moments.js'
import type { LinearPath } from './path.js'
import { factorize, solve } from './solvers/direct.js'
import { standardized } from './standard.js'
import { factorsOf } from './terms.js'

/** By λ. */
export function freedomOf(moments: Moments, path: LinearPath, options: ModelOptions): readonly number[] {
  const { model = 'elastic-net', l1Ratio = 1, hasIntercept = true, isStandardized = true } = options
  const isGrouped = model === 'group-lasso'
  if (!isGrouped && (model !== 'elastic-net' || l1Ratio === 1)) return path.df
  const { problem, scales } = standardized(moments, { hasIntercept, isStandardized })
  const curvatureOf = isGrouped ? groupCurvature(options) : ridgeCurvature(options, scales.length)
  return path.models.map(({ lambda, coefficients }) => {
    const beta = coefficients.map((b, j) => b * scales[j]!)
    return traceOf(problem.gram, beta, curvatureOf(lambda, beta))
  })
}

/** M, as what is added to G at [j, k]. */
type Curvature = (j: number, k: number) => number

function ridgeCurvature(options: ModelOptions, columns: number) {
  const factors = factorsOf(options.penaltyFactors, columns)
  const share = 1 - (options.l1Ratio ?? 1)
  return (lambda: number): Curvature =>
    (j, k) =>
      j === k ? lambda * share * factors[j]! : 0
}

/** t_g/‖β_g‖ (I − β_gβ_gᵀ/‖β_g‖²) of each group, and the ridge. */
function groupCurvature({ columnGroups = [], groupFactors, l1Ratio = 1 }: ModelOptions) {
  const groups = columnsOf(columnGroups)
  const place = new Map(groups.flatMap((columns, g) => columns.map((j) => [j, g] as const)))
  return (lambda: number, beta: Float64Array): Curvature => {
    const norms = groups.map((columns) => Math.hypot(...columns.map((j) => beta[j]!)))
    const ratios = groups.map((columns, g) => {
      const strength = lambda * l1Ratio * (groupFactors?.[g] ?? Math.sqrt(columns.length))
      return strength / norms[g]!
    })
    return (j, k) => {
      const g = place.get(j)!
      if (g !== place.get(k)) return 0
      const outer = (beta[j]! / norms[g]!) * (beta[k]! / norms[g]!)
      return ratios[g]! * (Number(j === k) - outer) + (j === k ? lambda * (1 - l1Ratio) : 0)
    }
  }
}

function traceOf(gram: Float64Array, beta: Float64Array, curvature: Curvature): number {
  const p = beta.length
  const active = [...beta.keys()].filter((j) => beta[j] !== 0)
  const n = active.length
  const block = (of: Curvature): Float64Array =>
    Float64Array.from({ length: n * n }, (_, i) => of(active[Math.floor(i / n)]!, active[i % n]!))
  const own = block((j, k) => gram[j * p + k]!)
  const all = block((j, k) => gram[j * p + k]! + curvature(j, k))
  const factors = factorize({ gram: all, stride: n }, new Float64Array(n), [...active.keys()])
  let trace = 0
  for (let a = 0; a < n; a++) trace += solve(factors, own.subarray(a * n, (a + 1) * n))[a]!
  return trace
}
