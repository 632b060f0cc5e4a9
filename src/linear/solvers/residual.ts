/**
 * The elastic net on its rows, for more columns than a Gram matrix could have: a working set that grows by the optimality
 * conditions (Massias, Gramfort and Salmon 2018), descent on the Gram matrix of its columns alone, and certificates from
 * what is left of y.
 */

import { type Fit, type Penalized, violationOf } from '../quadratic.js'
import type { RowProblem } from '../row-problem.js'
import { descendTo, type GramOptions, isSolved } from './compact-descent.js'
import { descendAlong } from './line-search.js'
import { descendRows } from './row-descent.js'
import { rowSource } from './row-source.js'
import { correlationsOfAll, type Screen, screenOf } from './screen.js'
import { compactOf, enter, load, store, type Workspace, workspaceOn } from './workspace.js'

/** Made for one path and changed by its solves, one after the other. */
export interface RowSolver {
  readonly problem: RowProblem
  readonly workspace: Workspace
  readonly screen: Screen
  /** Columns that were near their threshold when all were looked at. */
  near: Int32Array
  /** β where the last solve began. */
  before: Float64Array
  /** Columns that a Gram matrix of their own is made for; with more, descent is on what is left of y. */
  readonly mostCompact: number
  isWide: boolean
}

/** Of its threshold, where a correlation counts as near. */
const NEAR = 0.92

/** Below it descent on the Gram matrix is cheaper than on the rows, and the matrix fits into memory. */
const mostCompactOf = ({ columns }: RowProblem): number => Math.min(6000, Math.max(1000, 3 * columns.length))

/** `isOut` of columns that stay at 0 whatever λ. */
export function rowSolver(
  problem: RowProblem,
  isOut: (j: number) => boolean,
  mostCompact = mostCompactOf(problem),
): RowSolver {
  return {
    problem,
    workspace: workspaceOn(rowSource(problem)),
    screen: screenOf(problem, isOut),
    near: new Int32Array(0),
    before: new Float64Array(problem.columns.count),
    mostCompact,
    isWide: false,
  }
}

/**
 * Solves from `start` on; what did not converge within the passes says so by its gap. Correlations of the result are
 * those of its coefficients where they are near the threshold or needed, and bounds where they are surely below it.
 */
export function solveRows(solver: RowSolver, penalized: Penalized, start: Fit, options: GramOptions): Fit {
  const { problem, workspace } = solver
  const beta = start.beta.slice()
  let residual: Float64Array = start.residual.slice()
  let [passes, still] = [0, 0]
  if (!solver.isWide) onwards(solver, penalized, start, beta)
  solver.before = start.beta
  for (let isSettled = solver.isWide || isCompactSolved(workspace, options); ; ) {
    const left = leftOf(solver, beta)
    renewNear(solver, left, residual)
    let fresh = violators(workspace, penalized, residual, solver.near)
    if ((fresh.length === 0 && isSettled) || passes >= options.maxPasses) {
      residual = lookAtAll(solver, penalized, left)
      const isEnd = passes >= options.maxPasses || still === 3
      if (isEnd || isSolved(problem, penalized, { beta, residual, passes }, options)) return { beta, residual, passes }
      fresh = violators(workspace, penalized, residual, null)
    }
    take(solver, strongest(workspace, penalized, residual, fresh))
    const made = descend(solver, penalized, { beta, residual, passes }, options)
    passes += made.passes
    still = made.isStill ? still + 1 : 0
    isSettled = true
  }
}

function take(solver: RowSolver, fresh: readonly number[]): void {
  const { workspace, mostCompact } = solver
  if (workspace.working.length + fresh.length > mostCompact) solver.isWide = true
  if (!solver.isWide) enter(workspace, fresh)
  else {
    for (const j of fresh) workspace.isIn[j] = 1
    workspace.working.push(...fresh)
  }
}

/** Changes the coefficients of `fit` in place. */
function descend({ problem, workspace, isWide }: RowSolver, penalized: Penalized, fit: Fit, options: GramOptions) {
  const limits = { ...options, maxPasses: options.maxPasses - fit.passes }
  if (isWide) {
    const before = fit.beta.slice()
    const passes = descendRows(problem, workspace.working, penalized, fit.beta, limits)
    return { passes, isStill: fit.beta.every((b, j) => b === before[j]) }
  }
  load(workspace, penalized, fit)
  const passes = descendTo(workspace, limits)
  return { passes, isStill: store(workspace, fit.beta) === 0 }
}

/** On the way that the last λ took: paths are piecewise linear (Efron et al. 2004), so much of it is the same. */
function onwards({ workspace, before }: RowSolver, penalized: Penalized, start: Fit, beta: Float64Array): void {
  const { working, room } = workspace
  load(workspace, penalized, start)
  for (const [k, j] of working.entries()) room.coefficients[k] = start.beta[j]! - before[j]!
  descendAlong({ working, room })
  store(workspace, beta)
}

function isCompactSolved(workspace: Workspace, options: GramOptions): boolean {
  const { problem, penalized, fit } = compactOf(workspace)
  return isSolved(problem, penalized, fit, options)
}

/** P(y − Zβ), from nothing but the coefficients. */
function leftOf({ problem: { columns, y, project }, workspace: { working } }: RowSolver, beta: Float64Array) {
  const left = y.slice()
  columns.subtract(
    Int32Array.from(working),
    Float64Array.from(working, (j) => beta[j]!),
    left,
  )
  project(left)
  return left
}

/** Correlations of near and working columns. */
function renewNear({ problem: { columns }, near, workspace }: RowSolver, left: Float64Array, residual: Float64Array) {
  for (const list of [near, Int32Array.from(workspace.working)]) {
    const found = new Float64Array(list.length)
    columns.products(list, left, found)
    for (let k = 0; k < list.length; k++) residual[list[k]!] = found[k]!
  }
}

function lookAtAll(solver: RowSolver, penalized: Penalized, left: Float64Array): Float64Array {
  const { screen, workspace } = solver
  const thresholds = new Float64Array(penalized.l1.length)
  for (let j = 0; j < thresholds.length; j++) thresholds[j] = NEAR * penalized.l1[j]!
  const residual = correlationsOfAll(screen, left, thresholds, workspace.isIn)
  const near = new Int32Array(residual.length)
  let count = 0
  for (let j = 0; j < residual.length; j++)
    if (Math.abs(residual[j]!) > thresholds[j]! && workspace.isIn[j] === 0 && screen.norms[j]! > 0) near[count++] = j
  solver.near = near.slice(0, count)
  return residual
}

/** Columns, of a list or of all, that are not in and would not stay zero. */
function violators(
  { isIn }: Workspace,
  penalized: Penalized,
  residual: Float64Array,
  list: Int32Array | null,
): readonly number[] {
  const found: number[] = []
  const count = list?.length ?? residual.length
  for (let k = 0; k < count; k++) {
    const j = list === null ? k : list[k]!
    if (isIn[j] === 0 && violationOf(penalized, 0, residual[j]!, j) > 0) found.push(j)
  }
  return found
}

/** As many at a time as are in, since most of very many would go out again. */
function strongest(
  { working }: Workspace,
  penalized: Penalized,
  residual: Float64Array,
  fresh: readonly number[],
): readonly number[] {
  const most = Math.max(64, working.length)
  if (fresh.length <= most) return fresh
  const by = (j: number): number => violationOf(penalized, 0, residual[j]!, j)
  return [...fresh].sort((a, b) => by(b) - by(a)).slice(0, most)
}
