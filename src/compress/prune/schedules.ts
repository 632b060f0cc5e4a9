/** How much goes when: what part of the units of the first model is gone after each round. */

import { PareError } from '../../util/errors.js'

export const SCHEDULES = ['one-shot', 'iterative', 'gradual'] as const
export type Schedule = (typeof SCHEDULES)[number]

/**
 * One number a round, the last of which is `ratio`. `iterative`: each round takes the same part of what is left (Han,
 * Pool, Tran and Dally 2015, section 3.4; Frankle and Carbin 2019, section 2). `gradual`: s (1 − (1 − t/n)³), much at
 * first and little in the end (Zhu and Gupta 2017, equation 1). Throws `PRUNE_SCHEDULE`.
 */
export function ratiosOf(schedule: Schedule, ratio: number, rounds: number): readonly number[] {
  if (!(Number.isInteger(rounds) && rounds >= 1)) {
    throw new PareError('PRUNE_SCHEDULE', 'rounds are a whole number of at least 1', {
      value: rounds,
      remedy: 'Give for example 3.',
    })
  }
  if (schedule === 'one-shot' && rounds !== 1) {
    throw new PareError('PRUNE_SCHEDULE', 'one shot is one round', {
      value: rounds,
      remedy: 'Leave the rounds out, or choose iterative or gradual.',
    })
  }
  return Array.from({ length: rounds }, (_, i) => {
    const t = (i + 1) / rounds
    return schedule === 'gradual' ? ratio * (1 - (1 - t) ** 3) : 1 - (1 - ratio) ** t
  })
}
