/**
 * Correlations of all columns with a residual, most of them as bounds that are enough: a residual r = Σ aₖuₖ + e near ones
 * whose correlations are known has |zⱼᵀr| ≤ |Σ aₖ zⱼᵀuₖ| + ‖zⱼ‖ ‖e‖. Along a path residuals hardly leave the span of the last
 * few, so only columns near their threshold are multiplied; that others stay below it is certain all the same.
 */

import { inner, type RowProblem } from '../row-problem.js'

/** An orthonormal basis of past residuals, the last first, and the correlations of all columns with it. */
interface Reference {
  readonly direction: Float64Array
  readonly correlations: Float64Array
}

/** Made for one path and changed by its solves. */
export interface Screen {
  readonly problem: RowProblem
  /** ‖zⱼ‖, or 0 for columns that take no part. */
  readonly norms: Float64Array
  references: readonly Reference[]
}

/** Past residuals that are looked at. */
const MEMORY = 2

/** Part of all columns from which on all are multiplied, and remembered. */
const MANY = 0.25

/** Of a residual: what is less than this away from the others adds nothing but rounding. */
const PARALLEL = 1e-6

/** Of products of this many rows, relative; more than they have. */
const ROUNDING = 1e-12

export function screenOf(problem: RowProblem, isOut: (j: number) => boolean): Screen {
  const norms = problem.columns.squares.map((v, j) => (isOut(j) ? 0 : Math.sqrt(v)))
  return { problem, norms, references: [] }
}

/**
 * zⱼᵀr, or where that is surely below `thresholds` a number that is surely not below it in size. Exact where
 * `isNeeded` is 1, and for what took no part 0.
 */
export function correlationsOfAll(
  screen: Screen,
  residual: Float64Array,
  thresholds: Float64Array,
  isNeeded: Uint8Array,
): Float64Array {
  const { problem, norms } = screen
  const { columns } = problem
  const bounds = new Float64Array(columns.count)
  const left = expand(screen, residual, bounds)
  const doubtful = undecided(bounds, left, norms, thresholds, isNeeded)
  if (doubtful.length > MANY * columns.count || screen.references.length === 0) {
    columns.products(null, residual, bounds)
    remember(screen, residual, bounds)
    return bounds
  }
  const exact = new Float64Array(doubtful.length)
  columns.products(doubtful, residual, exact)
  for (let k = 0; k < doubtful.length; k++) bounds[doubtful[k]!] = exact[k]!
  return bounds
}

/** Writes Σ aₖ zⱼᵀuₖ and returns ‖e‖, with what rounding may add. */
function expand({ references }: Screen, residual: Float64Array, sums: Float64Array): number {
  const left = residual.slice()
  for (const { direction, correlations } of references) {
    const a = inner(direction, left)
    for (let i = 0; i < left.length; i++) left[i]! -= a * direction[i]!
    for (let j = 0; j < sums.length; j++) sums[j]! += a * correlations[j]!
  }
  return Math.sqrt(inner(left, left)) + ROUNDING * Math.sqrt(inner(residual, residual))
}

/** Adds the bound to all sums; columns that it does not decide on. */
function undecided(
  sums: Float64Array,
  left: number,
  norms: Float64Array,
  thresholds: Float64Array,
  isNeeded: Uint8Array,
): Int32Array {
  const found = new Int32Array(sums.length)
  let count = 0
  for (let j = 0; j < sums.length; j++) {
    const away = left * norms[j]!
    const most = sums[j]! < 0 ? sums[j]! - away : sums[j]! + away
    sums[j] = norms[j] === 0 ? 0 : most
    if (isNeeded[j] === 1 || Math.abs(sums[j]!) > thresholds[j]!) found[count++] = j
  }
  return found.subarray(0, count)
}

/** Gram and Schmidt over the last residuals, the newest first: it counts most. */
function remember(screen: Screen, residual: Float64Array, correlations: Float64Array): void {
  const kept: Reference[] = []
  for (const next of [{ direction: residual, correlations }, ...screen.references]) {
    const [direction, own] = [next.direction.slice(), next.correlations.slice()]
    const before = Math.sqrt(inner(direction, direction))
    for (const { direction: u, correlations: c } of kept) {
      const a = inner(u, direction)
      for (let i = 0; i < direction.length; i++) direction[i]! -= a * u[i]!
      for (let j = 0; j < own.length; j++) own[j]! -= a * c[j]!
    }
    const norm = Math.sqrt(inner(direction, direction))
    if (!(norm > PARALLEL * before) || kept.length === MEMORY) continue
    kept.push({ direction: direction.map((v) => v / norm), correlations: own.map((v) => v / norm) })
  }
  screen.references = kept
}
