/** What a search found, whatever the clock said of it: what is handed back hangs on latencies too, a test must not. */

import type { Outcome } from '../src/node.js'

/** Bytes of the smallest candidate that keeps the budget. */
export const leastBytes = ({ trials, budget }: Outcome): number =>
  Math.min(
    ...trials.flatMap(({ quality, bytes }) => (bytes && quality && quality.drop <= budget.maxDrop ? [bytes] : [])),
  )

/**
 * Whether a model is handed back only where it keeps every promise, and none only where none smaller does: where all that
 * keep the budget were measured to be slower.
 */
export const handsBackWhatKeeps = ({ trials, chosen, baseline, budget }: Outcome): boolean =>
  chosen === null
    ? trials.every(
        ({ bytes, quality, latency }) =>
          !bytes ||
          !quality ||
          !latency ||
          bytes >= baseline.bytes ||
          quality.drop > budget.maxDrop ||
          latency.ratio > 1,
      )
    : trials.some((t) => t.trial.id === chosen && t.keeps === true)
