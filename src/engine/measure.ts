/**
 * Interleaved timing of several calls. What drifts (clock rate, heat, other processes) then hits all of them alike,
 * and the ratio of two of them is worth more than two separate averages.
 */

import { random } from '../util/random.js'
import type { WireMeasureOptions } from './wire.js'

/** A reading shorter than this says more about the clock than about the model: it is filled up with repeated calls. */
const READING_MS = 1
const MIN_ROUNDS = 5
/** Whoever ran before has filled the caches. A call shorter than this is made once uncounted before it is read. */
const COLD_MS = 5

/**
 * Times `calls` in rounds. A round makes each call once (a very short one several times in a row, and the reading is
 * their mean) on the same feed, in an order drawn anew, so that none always follows the same one; the next round takes
 * the next feed. Returns the milliseconds a call took, one number a round, for each call. `between` runs outside the
 * readings and may throw.
 */
export async function timeCalls(
  calls: readonly ((feed: number) => Promise<void>)[],
  { rounds = 50, budgetMs = 5000, warmup = 3 }: WireMeasureOptions,
  between: () => Promise<void>,
): Promise<readonly (readonly number[])[]> {
  const begin = performance.now()
  const plans: Plan[] = []
  for (const call of calls) plans.push(await warmUp(call, warmup, between))
  const runs: number[][] = calls.map(() => [])
  const order = calls.map((_, i) => i)
  const { shuffle } = random(0)
  for (let round = 0; round < Math.max(rounds, MIN_ROUNDS); round++) {
    if (round >= MIN_ROUNDS && performance.now() - begin > budgetMs) break
    for (const i of shuffle(order)) {
      await between()
      const { isShort, repeats } = plans[i]!
      if (isShort) await calls[i]!(round)
      runs[i]!.push(await reading(calls[i]!, round, repeats))
    }
  }
  return runs
}

interface Plan {
  readonly isShort: boolean
  /** Calls that fill a reading. */
  readonly repeats: number
}

/** Runs a call `warmup` times, at least twice, to see how it is to be read. */
async function warmUp(
  call: (feed: number) => Promise<void>,
  warmup: number,
  between: () => Promise<void>,
): Promise<Plan> {
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < Math.max(warmup, 2); i++) {
    await between()
    fastest = Math.min(fastest, await reading(call, i, 1))
  }
  if (fastest >= READING_MS) return { isShort: fastest < COLD_MS, repeats: 1 }
  // The clock may be as coarse as the call is short: time a batch before trusting the ratio.
  const batch = await reading(call, 0, 16)
  const repeats = Math.min(1000, Math.max(1, Math.ceil(READING_MS / Math.max(batch, READING_MS / 1000))))
  return { isShort: true, repeats }
}

async function reading(call: (feed: number) => Promise<void>, feed: number, repeats: number): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < repeats; i++) await call(feed)
  return (performance.now() - start) / repeats
}
