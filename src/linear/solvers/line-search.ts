/** The least value of the penalized quadratic along a line, exactly: it is convex, and quadratic between kinks. */

import type { GramState, GramTerms } from '../../kernels/gram-descent.js'
import type { Workspace } from './workspace.js'

export interface Line {
  readonly n: number
  readonly terms: Omit<GramTerms, 'n' | 'gram' | 'stride'>
  /** β and q − Gβ where the line begins. */
  readonly state: Pick<GramState, 'beta' | 'residual'>
  readonly direction: Float64Array
  /** −G d */
  readonly bend: Float64Array
}

/** Moves the compact problem along its `coefficients`, taken as a direction, to where the objective is least. */
export function descendAlong(workspace: Pick<Workspace, 'working' | 'room'>): void {
  const line = lineAlong(workspace)
  const step = best(line)
  if (step !== 0) move(line, step)
}

/** From where the compact problem stands, along its `coefficients`. */
export function lineAlong({ working, room }: Pick<Workspace, 'working' | 'room'>): Line {
  const n = working.length
  const { kernel, terms, state, coefficients, trial } = room
  trial.fill(0)
  kernel.subtractRows({ count: n, length: n, data: terms.gram, stride: terms.stride }, coefficients, trial)
  return { n, terms, state, direction: coefficients, bend: trial }
}

/** A coefficient whose kink or bound the step reaches is on it, not a rounding beside it. */
export function move(
  { n, terms: { lower, upper }, state: { beta, residual }, direction, bend }: Line,
  step: number,
): void {
  for (let j = 0; j < n; j++) {
    const [before, d] = [beta[j]!, direction[j]!]
    const after = before !== 0 && step === -before / d ? 0 : before + step * d
    beta[j] = Math.min(Math.max(after, lower[j]!), upper[j]!)
    residual[j]! += step * bend[j]!
  }
}

/** The step t, of either sign, for which the objective is least at β + t d within the bounds; 0 where none helps. */
export function best(line: Line): number {
  const forward = along(line, 1)
  return forward > 0 ? forward : -along(line, -1)
}

/**
 * The same for t ≥ 0 on the line or its reverse. The slope at t is −rᵀd + Σ bⱼβⱼdⱼ + t (dᵀGd + Σ bⱼdⱼ²) +
 * Σ aⱼdⱼ sign(βⱼ + t dⱼ): it grows evenly, and by 2aⱼ|dⱼ| at the kink of a coefficient.
 */
function along(line: Line, sign: 1 | -1): number {
  const { n, terms, state, direction, bend } = line
  let [slope, curvature, end] = [0, 0, Number.POSITIVE_INFINITY]
  for (let j = 0; j < n; j++) {
    const d = sign * direction[j]!
    if (d === 0) continue
    const [b, a] = [state.beta[j]!, terms.l1[j]!]
    slope += d * (terms.l2[j]! * b - state.residual[j]!) + a * (b === 0 ? Math.abs(d) : d * Math.sign(b))
    curvature += d * (terms.l2[j]! * d - sign * bend[j]!)
    end = Math.min(end, ((d > 0 ? terms.upper[j]! : terms.lower[j]!) - b) / d)
  }
  if (!(slope < 0) || !(end > 0)) return 0
  // Rounding can leave a little less than none.
  curvature = Math.max(curvature, 0)
  let at = 0
  for (const { t, growth } of kinks(line, sign, Math.min(end, -slope / curvature))) {
    const before = slope + (t - at) * curvature
    if (before >= 0) break
    slope = before + growth
    at = t
    if (slope >= 0) return at
  }
  // Without curvature, kinks and bounds nothing was to be gained but rounding.
  const step = Math.min(end, at - slope / curvature)
  return Number.isFinite(step) ? step : 0
}

interface Kink {
  readonly t: number
  readonly growth: number
}

/** Where coefficients come to 0 before `limit`, the nearest first. */
function kinks({ n, terms: { l1 }, state: { beta }, direction }: Line, sign: 1 | -1, limit: number): readonly Kink[] {
  const found: Kink[] = []
  for (let j = 0; j < n; j++) {
    const d = sign * direction[j]!
    const t = -beta[j]! / d
    if (t > 0 && t < limit && l1[j]! > 0) found.push({ t, growth: 2 * l1[j]! * Math.abs(d) })
  }
  return found.sort((x, y) => x.t - y.t)
}
