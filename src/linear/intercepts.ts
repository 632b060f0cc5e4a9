/** The best intercepts where the coefficients are given: Newton's method, which reads the predictors alone. */

import { plainKernel } from '../kernels/gram-kernel.js'
import { lossOf, type Objective } from './objective.js'
import { factorize, solve } from './solvers/direct.js'

/** Largest mean slope that is left. */
const TOLERANCE = 1e-13
/** Steps, at most, and halvings of one. */
const MOST = 30

/** By how much they move; `eta` [n, K] moves with them, in place. */
export function bestIntercepts(objective: Objective, eta: Float64Array, tolerance = TOLERANCE): Float64Array {
  const { outputs } = objective.datafit
  const moved = new Float64Array(outputs)
  for (let step = 0; step < MOST; step++) {
    const { means, curvature } = sumsAt(objective, eta)
    if (means.every((v) => Math.abs(v) <= tolerance)) break
    const classes = Array.from(means, (_, k) => k)
    const factors = factorize({ gram: curvature, stride: outputs }, new Float64Array(outputs), classes, plainKernel)
    const move = solve(factors, means).map((v) => -v)
    const slope = move.reduce((sum, v, k) => sum + v * means[k]!, 0)
    if (!(slope < 0)) break
    const before = lossOf(objective, eta)
    let part = 1
    shift(eta, move, part)
    // Rounding of the loss must not turn a last, small step down.
    while (part > 1e-6 && !(lossOf(objective, eta) <= before + 1e-14 * Math.abs(before))) {
      shift(eta, move, -part / 2)
      part /= 2
    }
    for (let k = 0; k < outputs; k++) moved[k]! += part * move[k]!
  }
  return moved
}

function shift(eta: Float64Array, move: Float64Array, part: number): void {
  const outputs = move.length
  for (let at = 0; at < eta.length; at += outputs) for (let k = 0; k < outputs; k++) eta[at + k]! += part * move[k]!
}

/** Σ ω ∂f/∂η [K] and Σ ω ∂²f/∂η∂ηᵀ [K, K] */
function sumsAt({ rows, datafit, y }: Objective, eta: Float64Array) {
  const { outputs } = datafit
  const [means, curvature] = [new Float64Array(outputs), new Float64Array(outputs * outputs)]
  const row = new Float64Array(outputs)
  const [slope, second] = [new Float64Array(outputs), new Float64Array(outputs * outputs)]
  for (let i = 0, at = 0; i < y.length; i++, at += outputs) {
    for (let k = 0; k < outputs; k++) row[k] = eta[at + k]!
    datafit.slope(y[i]!, row, 0, slope)
    datafit.curvature(y[i]!, row, 0, second)
    const share = rows.shares[i]!
    for (let k = 0; k < outputs; k++) means[k]! += share * slope[k]!
    for (let k = 0; k < second.length; k++) curvature[k]! += share * second[k]!
  }
  return { means, curvature }
}
