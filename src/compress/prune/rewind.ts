/** Lottery tickets: what is left of a network, with the weights that it had early in its training. */

import type { Model } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import { cutUnits } from './cut.js'
import type { Unit } from './groups.js'

/**
 * The early model with the cuts that later led to the pruned one, round after round, each of units that were found in
 * what the round before left: the remaining units have the weights of `early` (Frankle and Carbin 2019, section 2, at
 * the start of training; Frankle, Dziugaite, Roy and Carbin 2020, section 3, some steps after it). `early` is the same
 * network as the first that was cut. Throws `PRUNE_REWIND` where it is not.
 */
export function rewind(early: Model, rounds: readonly (readonly Unit[])[]): Model {
  return rounds.reduce((model, units) => {
    for (const { constant, axis, indices } of units.flatMap(({ slices }) => slices)) {
      const size = model.graph.constants.get(constant)?.shape[axis]
      if (size !== undefined && indices.at(-1)! < size) continue
      throw new PareError('PRUNE_REWIND', 'the early model is not the network that was pruned', {
        where: constant,
        value: size === undefined ? 'no such weight' : `${size} along axis ${axis}`,
        remedy: 'Give the model as it was before the first round, with its early weights.',
      })
    }
    return cutUnits(model, units)
  }, early)
}
