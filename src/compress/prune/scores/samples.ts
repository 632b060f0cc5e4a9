/** The samples that scores look at: as many as tell units apart, drawn from all. */

import type { Samples } from '../../../data/samples.js'
import { drawOrTake } from '../../../data/split.js'
import { inspectModel } from '../../../passes/inspect.js'
import { PareError } from '../../../util/errors.js'
import type { ScoreContext } from './score.js'

/** The standard error of a mean over so many is a twentieth of a deviation. */
const LOOKED_AT = 400
/** Fewer where runs are long: products in all runs together, about a minute with their gradients. */
const WORK = 4e10
const LEAST = 16

/** Throws `PRUNE_SAMPLES` where there are none. */
export async function samplesOf({ model, env: { samples, seed = 0 } }: ScoreContext): Promise<Samples> {
  if (samples === undefined) {
    throw new PareError('PRUNE_SAMPLES', 'this score looks at what units do on samples, and there are none', {
      where: 'prune/channels',
      remedy: 'Give samples, or a score that needs the weights alone: l2, l1, geometric-median.',
    })
  }
  const limit = Math.max(LEAST, Math.min(LOOKED_AT, Math.floor(WORK / Math.max(1, inspectModel(model).macs))))
  return drawOrTake(samples, limit, seed)
}
