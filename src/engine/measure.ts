/**
 * Interleaved timing of several calls. What drifts (clock rate, heat, other processes) then hits all of them alike,
 * and the ratio of two of them is worth more than two separate averages.
 */

import { random } from '../util/random.js'
import { isTold, ratio } from './timing.js'
import type { WireMeasureOptions } from './wire.js'

/** A reading shorter than this says more about the clock than about the model: it is filled up with repeated calls. */
const READING_MS = 1
/** Calls of one reading, at most; and the longest reading that a shorter neighbour may cause. */
const MAX_REPEATS = 1000
const MAX_READING_MS = 50
const MIN_ROUNDS = 5
/** Whoever ran before has filled the caches. A call shorter than this is made once uncounted before it is read. */
const COLD_MS = 5

type Call = (feed: number) => Promise<void>
/** Milliseconds since some moment. */
type Clock = () => number

/**
 * Times `calls` in rounds. A round makes each call once (very short ones several times in a row, and the reading is
 * their mean) on the same feed, in an order drawn anew, so that none always follows the same one; the next round takes
 * the next feed. Returns the milliseconds a call took, one number a round, for each call. `between` runs outside the
 * readings and may throw. With `patience` the rounds go on up to so many times their usual number and time while any
 * call is not told apart from the first (`isTold`).
 */
export async function timeCalls(
  calls: readonly Call[],
  { rounds = 50, budgetMs = 5000, warmup = 3, patience = 1 }: WireMeasureOptions,
  between: () => Promise<void>,
  now: Clock = () => performance.now(),
): Promise<readonly (readonly number[])[]> {
  const begin = now()
  const plans = await planReadings(calls, warmup, between, now)
  const runs: number[][] = calls.map(() => [])
  const order = calls.map((_, i) => i)
  const { shuffle } = random(0)
  const isDue = (round: number, times: number): boolean =>
    round < MIN_ROUNDS || (round < rounds * times && now() - begin <= budgetMs * times)
  let lookAt = 0
  /** Looked at when the usual is done and then at each half more: more looks would find differences by chance. */
  const isOpen = (round: number): boolean => {
    if (round < lookAt) return true
    lookAt = Math.ceil(round * 1.5)
    return runs.some((own) => !isTold(ratio(runs[0]!, own)))
  }
  for (let round = 0; ; round++) {
    if (!isDue(round, 1) && !(isDue(round, patience) && isOpen(round))) break
    for (const i of shuffle(order)) {
      await between()
      const { isShort, repeats } = plans[i]!
      if (isShort) await calls[i]!(round)
      runs[i]!.push(await reading(calls[i]!, round, repeats, now))
    }
  }
  return runs
}

interface Plan {
  readonly isShort: boolean
  /** Calls that fill a reading. */
  readonly repeats: number
}

/**
 * How each call is to be read, planned when all are warm: what is timed first is slowest, and would be read in fewer
 * repeats. Calls of about the same length get the same plan, since the longer of two readings meets more interruptions.
 */
async function planReadings(
  calls: readonly Call[],
  warmup: number,
  between: () => Promise<void>,
  now: Clock,
): Promise<readonly Plan[]> {
  const times: number[] = []
  for (const pass of ['cold', 'warm'] as const) {
    for (const [i, call] of calls.entries()) {
      const rounds = pass === 'cold' ? Math.max(warmup, 2) : 1
      times[i] = await lengthOf(call, rounds, between, now)
    }
  }
  const shared = Math.min(repeatsFor(Math.min(...times)), Math.floor(MAX_READING_MS / Math.max(...times)))
  const isCold = Math.min(...times) < COLD_MS
  return times.map((ms) => ({
    isShort: isCold && ms < MAX_READING_MS,
    repeats: Math.max(1, shared, repeatsFor(ms)),
  }))
}

const repeatsFor = (ms: number): number => Math.min(MAX_REPEATS, Math.ceil(READING_MS / Math.max(ms, 1e-6)))

/** Milliseconds of the fastest of `runs` calls; of a short one, the mean of a batch: the clock may be as coarse as the call is short. */
async function lengthOf(call: Call, runs: number, between: () => Promise<void>, now: Clock): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    await between()
    fastest = Math.min(fastest, await reading(call, i, 1, now))
  }
  return fastest < READING_MS ? reading(call, 0, 16, now) : fastest
}

async function reading(call: Call, feed: number, repeats: number, now: Clock): Promise<number> {
  const start = now()
  for (let i = 0; i < repeats; i++) await call(feed)
  return (now() - start) / repeats
}
