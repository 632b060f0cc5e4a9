/** Anderson extrapolation of coordinate descent (Bertrand and Massias 2021, algorithm 2), in place. */

import { MEMORY, type Workspace } from './workspace.js'

/**
 * Moves to Σ cₖβₖ of the last iterates, with c = z / Σz and UᵀU z = 1 for the differences U of consecutive ones, where
 * the objective is less there than at the last.
 */
export function extrapolate({ working, room }: Workspace): void {
  const n = working.length
  const { kernel, terms, state, iterates, coefficients, trial } = room
  const { gram, stride } = terms
  const c = weights(iterates, stride, n)
  if (c === null) return
  const beta = new Float64Array(n)
  for (let j = 0; j < n; j++) {
    let sum = 0
    for (let k = 0; k < MEMORY; k++) sum += c[k]! * iterates[(k + 1) * stride + j]!
    beta[j] = Math.min(Math.max(sum, terms.lower[j]!), terms.upper[j]!)
    coefficients[j] = beta[j]! - state.beta[j]!
  }
  trial.set(state.residual)
  kernel.subtractRows({ count: n, length: n, data: gram, stride }, coefficients, trial)
  if (!(growth(room, beta) < 0)) return
  state.beta.set(beta)
  state.residual.set(trial)
}

/** By how much the objective grows to β: −½(β − β₀)ᵀ(r + r₀) and the penalties' difference. */
function growth({ terms: { l1, l2 }, state, trial }: Workspace['room'], beta: Float64Array): number {
  let sum = 0
  for (let j = 0; j < beta.length; j++) {
    const [x, y] = [state.beta[j]!, beta[j]!]
    sum -= 0.5 * (y - x) * (state.residual[j]! + trial[j]!)
    sum += l1[j]! * (Math.abs(y) - Math.abs(x)) + 0.5 * l2[j]! * (y * y - x * x)
  }
  return sum
}

/** c from (UᵀU + ε I) z = 1 by elimination; null where that says nothing. */
function weights(iterates: Float64Array, stride: number, n: number): Float64Array | null {
  const a = Array.from({ length: MEMORY }, () => new Float64Array(MEMORY + 1).fill(1))
  let trace = 0
  for (let i = 0; i < MEMORY; i++) {
    for (let k = 0; k <= i; k++) {
      a[i]![k] = difference(iterates, stride, n, i, k)
      a[k]![i] = a[i]![k]!
    }
    trace += a[i]![i]!
  }
  for (let i = 0; i < MEMORY; i++) a[i]![i]! += 1e-12 * trace
  for (let i = 0; i < MEMORY; i++) {
    const pivot = a[i]![i]!
    if (!(pivot > 0)) return null
    for (let k = i + 1; k < MEMORY; k++) {
      const factor = a[k]![i]! / pivot
      for (let j = i; j <= MEMORY; j++) a[k]![j]! -= factor * a[i]![j]!
    }
  }
  const z = new Float64Array(MEMORY)
  for (let i = MEMORY - 1; i >= 0; i--) {
    let sum = a[i]![MEMORY]!
    for (let j = i + 1; j < MEMORY; j++) sum -= a[i]![j]! * z[j]!
    z[i] = sum / a[i]![i]!
  }
  const total = z.reduce((x, y) => x + y, 0)
  return Number.isFinite(total) && total !== 0 ? z.map((v) => v / total) : null
}

/** (βᵢ₊₁ − βᵢ)ᵀ(βₖ₊₁ − βₖ) */
function difference(iterates: Float64Array, stride: number, n: number, i: number, k: number): number {
  let sum = 0
  for (let [j, a, b] = [0, i * stride, k * stride]; j < n; j++, a++, b++) {
    sum += (iterates[a + stride]! - iterates[a]!) * (iterates[b + stride]! - iterates[b]!)
  }
  return sum
}
