/**
 * Block coordinate descent for ½βᵀGβ − qᵀβ + Σ t_g‖β_g‖ + ½b‖β‖²: a group in the eigenbasis of its own block is solved
 * up to its norm, and the norm by Newton (Qin, Scheinberg and Goldfarb 2013, §2.1).
 */

import { correlationsAt, type Fit, meanSquare, type Point, type Quadratic } from '../quadratic.js'
import { type Eigen, jacobi } from './jacobi.js'

export interface Group {
  readonly columns: readonly number[]
  readonly eigen: Eigen
}

export interface GroupTerms {
  /** t_g, by group. */
  readonly strengths: Float64Array
  /** b */
  readonly ridge: number
}

/** With the eigenbasis of each block of the Gram matrix. */
export function groupsOf({ gram, q }: Quadratic, groups: readonly (readonly number[])[]): readonly Group[] {
  return groups.map((columns) => {
    const n = columns.length
    const block = Float64Array.from(
      { length: n * n },
      (_, i) => gram[columns[Math.floor(i / n)]! * q.length + columns[i % n]!]!,
    )
    return { columns, eigen: jacobi(block, n) }
  })
}

/** Solves from `start` on; `tolerance` is of the duality gap, as a part of ½ yy (without one, of the violation squared). */
export function solveGroups(
  problem: Quadratic,
  groups: readonly Group[],
  terms: GroupTerms,
  start: Fit,
  { tolerance, maxPasses }: { readonly tolerance: number; readonly maxPasses: number },
): Fit {
  const [beta, residual] = [start.beta.slice(), start.residual.slice()]
  const most = tolerance * 0.5 * problem.yy
  let passes = 0
  const isSolved = (): boolean => {
    const gap = groupGap(problem, groups, terms, { beta, residual })
    return Number.isNaN(gap) ? groupViolation(groups, terms, { beta, residual }) ** 2 <= most : gap <= most
  }
  while (passes < maxPasses && !isSolved()) {
    // Once over all, then over those that are not zero until they rest.
    const all = groups.map((_, g) => g)
    let largest = pass(problem, groups, terms, beta, residual, all)
    passes++
    const active = all.filter((g) => groups[g]!.columns.some((j) => beta[j] !== 0))
    for (let round = 0; round < 100 && largest > 0.1 * most && passes < maxPasses; round++, passes++)
      largest = pass(problem, groups, terms, beta, residual, active)
    residual.set(correlationsAt(problem, beta))
  }
  return { beta, residual, passes }
}

/** Returns the largest change, as δᵀ(G_gg + b)δ. */
function pass(
  { gram }: Quadratic,
  groups: readonly Group[],
  { strengths, ridge }: GroupTerms,
  beta: Float64Array,
  residual: Float64Array,
  order: readonly number[],
): number {
  const p = beta.length
  let largest = 0
  for (const g of order) {
    const { columns, eigen } = groups[g]!
    const n = columns.length
    const { values, vectors } = eigen
    const before = columns.map((j) => beta[j]!)
    // In the eigenbasis: the coordinates now, and what pulls at them.
    const [now, pull] = [new Float64Array(n), new Float64Array(n)]
    for (let k = 0; k < n; k++) {
      for (let i = 0; i < n; i++) {
        now[k]! += vectors[i * n + k]! * before[i]!
        pull[k]! += vectors[i * n + k]! * residual[columns[i]!]!
      }
      pull[k]! += Math.max(values[k]!, 0) * now[k]!
    }
    const next = solveBlock(values, pull, strengths[g]!, ridge)
    let size = 0
    for (let k = 0; k < n; k++) size += (values[k]! + ridge) * (next[k]! - now[k]!) ** 2
    if (size === 0) continue
    largest = Math.max(largest, size)
    for (let i = 0; i < n; i++) {
      let after = 0
      for (let k = 0; k < n; k++) after += vectors[i * n + k]! * next[k]!
      const change = after - before[i]!
      beta[columns[i]!] = after
      const row = columns[i]! * p
      for (let j = 0; j < p; j++) residual[j]! -= change * gram[row + j]!
    }
  }
  return largest
}

/** argmin ½bᵀ(Λ + ridge)b − cᵀb + t‖b‖: zero for ‖c‖ ≤ t, else bₖ = cₖ ν / (aₖν + t) with ν = ‖b‖. */
function solveBlock(values: Float64Array, c: Float64Array, t: number, ridge: number): Float64Array {
  const top = values.reduce((a, b) => Math.max(a, b), 0)
  // A direction without curvature has nothing to explain: what pulls there is rounding.
  const a = values.map((v) => (v > 1e-13 * top ? v : 0) + ridge)
  const pull = c.map((v, k) => (a[k]! > 0 ? v : 0))
  if (t === 0) return pull.map((v, k) => (v === 0 ? 0 : v / a[k]!))
  if (pull.reduce((sum, v) => sum + v * v, 0) <= t * t) return new Float64Array(c.length)
  const norm = normOf(a, pull, t)
  return pull.map((v, k) => (v * norm) / (a[k]! * norm + t))
}

/** The root of 1 / √Σ cₖ² / (aₖν + t)² = 1, increasing and nearly straight in ν: Newton, kept between bounds by halving. */
function normOf(a: Float64Array, c: Float64Array, t: number): number {
  let [low, high] = [0, Number.POSITIVE_INFINITY]
  let norm = 0
  for (let step = 0; step < 100; step++) {
    let [sum, slope] = [0, 0]
    for (let k = 0; k < a.length; k++) {
      const part = c[k]! / (a[k]! * norm + t)
      sum += part * part
      slope += (part * part * a[k]!) / (a[k]! * norm + t)
    }
    const size = Math.sqrt(sum)
    if (size > 1) low = norm
    else high = norm
    // f = 1/size − 1, f' = slope / size³
    const newton = norm - ((1 / size - 1) * size ** 3) / slope
    const next =
      newton > low && newton < high ? newton : high === Number.POSITIVE_INFINITY ? 2 * low + 1 : (low + high) / 2
    if (Math.abs(next - norm) <= 1e-16 * next) return next
    norm = next
  }
  return norm
}

/**
 * By the scaled residual θ = s (y − Xβ), as for the lasso: s(yy − qᵀβ) − ½s²‖y − Xβ‖²/n − Σ (s‖r_g‖ − t_g)²₊ / 2b. NaN
 * where a group has no penalty.
 */
export function groupGap(
  problem: Quadratic,
  groups: readonly Group[],
  { strengths, ridge }: GroupTerms,
  fit: Point,
): number {
  const { beta, residual } = fit
  const norms = groups.map(({ columns }) => normAt(residual, columns))
  let scale = 1
  for (const [g, norm] of norms.entries()) {
    if (ridge > 0 || norm === 0) continue
    if (strengths[g] === 0) return Number.NaN
    scale = Math.min(scale, strengths[g]! / norm)
  }
  let [penalty, spare] = [0, 0]
  for (const [g, { columns }] of groups.entries()) {
    const size = normAt(beta, columns)
    penalty += strengths[g]! * size + 0.5 * ridge * size * size
    if (ridge > 0) spare += Math.max(0, scale * norms[g]! - strengths[g]!) ** 2 / (2 * ridge)
  }
  const square = meanSquare(problem, fit)
  const fitted = beta.reduce((sum, b, j) => sum + b * problem.q[j]!, 0)
  const dual = scale * (problem.yy - fitted) - 0.5 * scale * scale * square - spare
  return Math.max(0, 0.5 * square + penalty - dual)
}

/** The largest norm by which a group misses its optimality conditions. */
export function groupViolation(
  groups: readonly Group[],
  { strengths, ridge }: GroupTerms,
  { beta, residual }: Point,
): number {
  let largest = 0
  for (const [g, { columns }] of groups.entries()) {
    const size = normAt(beta, columns)
    const miss =
      size === 0
        ? Math.max(0, normAt(residual, columns) - strengths[g]!)
        : Math.hypot(...columns.map((j) => residual[j]! - ridge * beta[j]! - (strengths[g]! * beta[j]!) / size))
    largest = Math.max(largest, miss)
  }
  return largest
}

const normAt = (values: Float64Array, columns: readonly number[]): number => {
  let sum = 0
  for (const j of columns) sum += values[j]! ** 2
  return Math.sqrt(sum)
}
