/** The samples that scores look at: as many as tell units apart, drawn from all. */

import type { Samples } from '../../../data/samples.js'
import { draw, take } from '../../../data/split.js'
import { PareError } from '../../../util/errors.js'
import type { ScoreContext } from './score.js'

/** The standard error of a mean over so many is a twentieth of a deviation. */
const LOOKED_AT = 400

/** Throws `PRUNE_SAMPLES` where there are none. */
export async function samplesOf({ env: { samples, seed = 0 } }: Pick<ScoreContext, 'env'>): Promise<Samples> {
  if (samples === undefined) {
    throw new PareError('PRUNE_SAMPLES', 'this score looks at what units do on samples, and there are none', {
      where: 'prune/channels',
      remedy: 'Give samples, or a score that needs the weights alone: l2, l1, geometric-median.',
    })
  }
  const { count } = samples
  // Frames that hand on states stay together.
  if (count === null || samples.carry?.length) return take(samples, LOOKED_AT)
  return draw({ ...samples, count }, LOOKED_AT, seed)
}
