/** Whichever way of taking a weight apart needs fewer parameters for the energy that is to be kept. */

import type { Engine } from '../../engine/engine.js'
import { type Cut, type Decomposition, depthOf, type Weight } from './decompose.js'
import { svdParts } from './svd-parts.js'
import { tuckerParts } from './tucker-parts.js'

export async function fewestParts(weight: Weight, metric: Float64Array | null, engine: Engine): Promise<Decomposition> {
  const two = await svdParts(weight, metric, engine)
  if (depthOf(weight) === weight.channels) return two
  const three = await tuckerParts(weight, metric, engine)
  const fewer = (a: Cut, b: Cut): Cut => (b.parameters < a.parameters ? b : a)
  return {
    byTail: (tail) => fewer(two.byTail(tail), three.byTail(tail)),
    byCriterion: (criterion) => fewer(two.byCriterion(criterion), three.byCriterion(criterion)),
    parts: (cut) => (cut.ranks.length === 1 ? two : three).parts(cut),
  }
}
