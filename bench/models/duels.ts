/** Ours against one of the peer's best: bytes, speed and quality, each won, even or lost by measurement. */

import { ratio } from '../../src/engine/timing.js'
import type { Agreement } from '../peers/agreement.js'

export type Verdict = 'won' | 'even' | 'lost'

export interface Side {
  readonly bytes: number
  readonly agreement: Agreement
  /** Milliseconds of each round; reading i of both sides was taken in the same round. */
  readonly runs: readonly number[]
}

export interface Duel {
  readonly bytes: Verdict
  readonly speed: Verdict
  readonly quality: Verdict
  /** Their time over ours, with its 95 % interval: above 1, ours is faster. */
  readonly ratio: readonly [ratio: number, low: number, high: number]
}

/** Losses within this factor are even: other held-out samples would turn them round. */
export const SAME_LOSS = 1.05

/** `speed` is even where the interval leaves a doubt or the difference is below 2 %. */
export function duel(ours: Side, theirs: Side): Duel {
  const speed = ratio(ours.runs, theirs.runs)
  return {
    bytes: verdict(theirs.bytes - ours.bytes),
    speed: speed.verdict === 'slower' ? 'won' : speed.verdict === 'faster' ? 'lost' : 'even',
    quality: lossVerdict(loss(ours.agreement), loss(theirs.agreement)),
    ratio: [speed.ratio, speed.low, speed.high],
  }
}

const verdict = (gain: number): Verdict => (gain > 0 ? 'won' : gain < 0 ? 'lost' : 'even')

function lossVerdict(ours: number, theirs: number): Verdict {
  if (ours > theirs * SAME_LOSS) return 'lost'
  return theirs > ours * SAME_LOSS ? 'won' : 'even'
}

/** What is lost, in the unit of budgets. */
export const loss = ({ drop }: Agreement): number => drop
