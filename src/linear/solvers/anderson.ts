/** Anderson extrapolation of coordinate descent (Bertrand and Massias 2021, algorithm 2), in place. */

import { best, lineAlong, move } from './line-search.js'
import { MEMORY, type Workspace } from './workspace.js'

/**
 * Moves to Σ cₖβₖ of the last iterates, with c = z / Σz and UᵀU z = 1 for the differences U of consecutive ones, where that
 * is already enough, and says so: near a minimum the objective is flat, and how low it is says little of the gap. Otherwise
 * moves that way, or back, as far as the objective falls: where columns depend on each other descent creeps along at an
 * even pace, Σ cₖβₖ lies behind, and a negative step reaches the next kink. What is 0 stays 0, and what would change its
 * sign ends there.
 */
export function extrapolate({ working, room }: Pick<Workspace, 'working' | 'room'>, isEnough: () => boolean): boolean {
  const n = working.length
  const { terms, state, iterates, coefficients } = room
  const { stride, lower, upper } = terms
  const c = mixOf(iterates, stride, n)
  if (c === null) return false
  for (let j = 0; j < n; j++) {
    let sum = 0
    for (let k = 0; k < MEMORY; k++) sum += c[k]! * iterates[(k + 1) * stride + j]!
    const b = state.beta[j]!
    coefficients[j] = sum * b > 0 ? Math.min(Math.max(sum, lower[j]!), upper[j]!) - b : -b
  }
  const line = lineAlong({ working, room })
  const [beta, residual] = [state.beta.slice(0, n), state.residual.slice(0, n)]
  move(line, 1)
  if (isEnough()) return true
  state.beta.set(beta)
  state.residual.set(residual)
  const step = best(line)
  if (step !== 0) move(line, step)
  return false
}

/** c from (UᵀU + ε I) z = 1 by elimination, of iterates [1 + MEMORY, stride]; null where that says nothing. */
export function mixOf(iterates: Float64Array, stride: number, n: number): Float64Array | null {
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
