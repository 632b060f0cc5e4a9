/**
 * Interleaved timing of several calls. What drifts (clock rate, heat, other processes) then hits all of them alike,
 * and the ratio of two of them is worth more than two separate averages.
 */

import type { WireMeasureOptions } from './wire.js'

/** A reading shorter than this says more about the clock than about the model: it is filled up with repeated calls. */
const READING_MS = 0.2
const MIN_ROUNDS = 5

/**
 * Times `calls` in rounds. A round makes each call once (a very short one several times in a row, and the reading is
 * their mean) on the same feed; the next round takes the next feed and starts with the next call. Returns the
 * milliseconds a call took, one number a round, for each call. `between` runs outside the readings and may throw.
 */
export async function timeCalls(
  calls: readonly ((feed: number) => Promise<void>)[],
  { rounds = 50, budgetMs = 5000, warmup = 3 }: WireMeasureOptions,
  between: () => Promise<void>,
): Promise<readonly (readonly number[])[]> {
  const begin = performance.now()
  const repeats: number[] = []
  for (const call of calls) repeats.push(await warmUp(call, warmup, between))
  const runs: number[][] = calls.map(() => [])
  for (let round = 0; round < Math.max(rounds, MIN_ROUNDS); round++) {
    if (round >= MIN_ROUNDS && performance.now() - begin > budgetMs) break
    for (let k = 0; k < calls.length; k++) {
      await between()
      const i = (round + k) % calls.length
      runs[i]!.push(await reading(calls[i]!, round, repeats[i]!))
    }
  }
  return runs
}

/** Runs a call `warmup` times, at least twice, and returns how many of them fill a reading. */
async function warmUp(
  call: (feed: number) => Promise<void>,
  warmup: number,
  between: () => Promise<void>,
): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < Math.max(warmup, 2); i++) {
    await between()
    fastest = Math.min(fastest, await reading(call, i, 1))
  }
  if (fastest >= READING_MS) return 1
  // The clock may be as coarse as the call is short: time a batch before trusting the ratio.
  const batch = await reading(call, 0, 16)
  return Math.min(1000, Math.max(1, Math.ceil(READING_MS / Math.max(batch, READING_MS / 1000))))
}

async function reading(call: (feed: number) => Promise<void>, feed: number, repeats: number): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < repeats; i++) await call(feed)
  return (performance.now() - start) / repeats
}
