/** What bench/peers/measure.ts leaves behind, and which of the peer's files count as its best. */

import type { Agreement } from './agreement.js'
import type { Latency } from './latency.js'

export interface Measured {
  readonly variant: string
  readonly bytes: number
  readonly agreement: Agreement
  readonly latency: Latency
  /** Whether the latency is of the longer timing. */
  readonly fine: boolean
}

export interface ModelResult {
  readonly model: string
  readonly bytes: number
  readonly ms: number
  readonly accuracy: number | null
  readonly heldout: number
  readonly measured: readonly Measured[]
  /** Variant to reason: those that the tool failed to make, and those that do not load or run. */
  readonly failed: Readonly<Record<string, string>>
}

/** Bests are given at two bounds of the worst relative L2 error; beyond the second a model has lost what it was for. */
export const ERROR_BOUNDS = [0.1, 0.6] as const

/** Whether a user could take it: no larger than the original, and no more wrong than the bound. */
export function isUsable(
  candidate: { readonly bytes: number; readonly agreement: Agreement },
  originalBytes: number,
  bound: number,
): boolean {
  const { worst } = candidate.agreement
  // JSON has no NaN: it comes back as null, which is no larger than anything.
  return candidate.bytes <= originalBytes && Number.isFinite(worst) && worst <= bound
}
