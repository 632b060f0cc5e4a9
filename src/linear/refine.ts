/**
 * Solutions from moments, corrected by the rows: with the residuals of all λ from one reading of X in float64, each is
 * solved again with the linear term that makes the correlations of its quadratic those of the rows, q = Xᵀr/n + Gβ. Where
 * that moves nothing, β is optimal on the rows themselves, however coarse G is (iterative refinement: Wilkinson 1963).
 */

import type { DenseMatrix } from './design.js'
import type { PathOptions, Solved } from './linear-path.js'
import type { PathSolution } from './path.js'
import { correlationsAt, diagonalOf, dualityGap, pointAt, violation, withoutDust } from './quadratic.js'
import { gatherResiduals, type ResidualMoments } from './residuals.js'
import { solveGram } from './solvers/gram.js'

/** Readings of X, at most. */
const ROUNDS = 5

/** Of what the tolerance allows, what a corrected solution is to be solved to. */
const WITHIN = 0.1

/** `solved` of the solution itself where it is within the tolerance as it stands. */
export async function refined(
  solution: PathSolution,
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: PathOptions,
): Promise<readonly Solved[]> {
  const { most } = solution
  let state: State = { empty: solution.partial.complete(new Float64Array(x.columns)), solved: solution.solved }
  for (let round = 1; !state.solved.every((s) => isWithin(s, most)); round++) {
    const [empty, ...rows] = await residualsOf(solution, state, x, y, options)
    const seen = state.solved.map((s, i) => certified(solution, i, s, { empty: empty!, own: rows[i]! }))
    if (round === ROUNDS || seen.every((s) => isWithin(s, most))) return seen
    state = {
      empty: completed(solution, state.empty, empty!.correlations),
      solved: seen.map((s, i) => (isWithin(s, most) ? s : corrected(solution, i, s))),
    }
  }
  return state.solved
}

interface State {
  /** Coefficients of the columns without a penalty, all else at zero. */
  readonly empty: Float64Array
  readonly solved: readonly Solved[]
}

/** Whether what is proved of a solution is enough; where there is no gap, as `solveGram` has it. */
export const isWithin = ({ gap, hidden }: Solved, most: number): boolean =>
  Number.isNaN(gap) ? hidden ** 2 <= most : gap <= most

/** On the scale of the fit, of the empty model first. */
async function residualsOf(
  { standard: { scales, offsets } }: PathSolution,
  { empty, solved }: State,
  x: DenseMatrix,
  y: ArrayLike<number>,
  { weights, engine, signal }: PathOptions,
): Promise<readonly ResidualMoments[]> {
  const models = [empty, ...solved.map((s) => s.beta)].map((beta) => beta.map((b, j) => b / scales[j]!))
  const found = await gatherResiduals(x, y, models, {
    means: offsets,
    engine,
    ...(weights && { weights }),
    ...(signal && { signal }),
  })
  return found.map(({ meanSquare, correlations }) => ({
    meanSquare,
    correlations: correlations.map((v, j) => v / scales[j]!),
  }))
}

/** By what the rows say of the model, and of the empty one. */
function certified(
  { terms, partial, lambdas, standard }: PathSolution,
  i: number,
  { beta, iterations }: Solved,
  { empty, own }: { readonly empty: ResidualMoments; readonly own: ResidualMoments },
): Solved {
  const constant = new Set(standard.constant)
  const residual = own.correlations.map((v, j) => (constant.has(j) ? 0 : v))
  const held = terms.heldAt(lambdas[i]!)
  // Of y less what the columns without a penalty explain: its products with the others, and its square.
  const problem = {
    q: partial.leftOf(empty.correlations),
    yy: Math.max(0, empty.meanSquare - 2 * partial.lossOf(empty.correlations)),
  }
  const point = { beta: partial.withoutFree(beta), residual: partial.leftOf(residual) }
  const missed = violation(terms.at(lambdas[i]!), { beta, residual })
  return {
    beta,
    residual,
    gap: dualityGap(problem, held, point) + partial.lossOf(residual),
    meanSquare: own.meanSquare,
    violation: missed,
    hidden: missed,
    iterations,
  }
}

/** Solved with the correlations of the rows in place of those of the moments. */
function corrected({ standard, terms, partial, limits, most, lambdas }: PathSolution, i: number, s: Solved): Solved {
  const { gram } = partial.problem
  const held = terms.heldAt(lambdas[i]!)
  const beta = partial.withoutFree(s.beta)
  const residual = partial.leftOf(s.residual)
  const q = plus(residual, gram, beta)
  // What makes the mean square of the model that of the rows, so that there is a dual.
  const left = s.meanSquare - 2 * partial.lossOf(s.residual)
  const problem = { gram, q, yy: beta.reduce((sum, b, j) => sum + b * (q[j]! + residual[j]!), left) }
  const tolerance = (WITHIN * most) / (0.5 * problem.yy)
  const fit = solveGram(problem, held, { beta, residual, passes: 0 }, { ...limits, tolerance })
  const all = standard.problem.gram
  const linear = plus(s.residual, all, s.beta)
  const moved = pointAt(
    { gram: all, q: linear },
    partial.complete(withoutDust(partial.problem.yy, diagonalOf(partial.problem), held, fit.beta), linear),
  )
  return {
    ...s,
    ...moved,
    gap: Number.POSITIVE_INFINITY,
    hidden: Number.POSITIVE_INFINITY,
    iterations: s.iterations + fit.passes,
  }
}

/** Of the empty model, to correlations of 0. */
function completed({ standard, partial }: PathSolution, empty: Float64Array, correlations: Float64Array): Float64Array {
  return partial.complete(new Float64Array(empty.length), plus(correlations, standard.problem.gram, empty))
}

/** r + Gβ */
function plus(residual: Float64Array, gram: Float64Array, beta: Float64Array): Float64Array {
  return correlationsAt(
    { gram, q: residual },
    beta.map((b) => -b),
  )
}
