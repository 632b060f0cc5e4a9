/** What a search is about. A journal is of use to another run only where all of this is the same. */

import { sha256 } from '../util/hash.js'
import { VERSION } from '../util/version.js'
import type { CompressOptions } from './compress.js'
import type { Identity } from './journal.js'
import { machineOf } from './machine.js'
import { activationsOf, type Setup, settingsOf } from './setup.js'

/** What was asked for: known before anything is measured. */
export async function askedOf(options: CompressOptions & { readonly original: Uint8Array }): Promise<Identity> {
  const { maxDrop, limits, objective, target, measure, portable, seed } = settingsOf(options)
  const { cpu, features } = await machineOf()
  return {
    version: VERSION,
    // Raised where the same recipe makes other bytes than before.
    format: 6,
    model: await sha256(options.original),
    shapes: options.shapes ?? {},
    samples: options.samples?.name ?? null,
    metric: options.metric === undefined ? null : [options.metric.name ?? '', options.metric.higherIsBetter],
    scores: options.scores ?? null,
    maxDrop,
    limits,
    // How long is no part of it: a search may be extended.
    search: isForFront(options) ? ['front', options.recover ?? null] : null,
    objective,
    target,
    portable,
    seed,
    timing: measure,
    activations: activationsOf(),
    machine: [cpu, features],
  }
}

/** Every lever is tried, in a search that is given its time or its number of trials. */
export const isForFront = ({ minutes, trials, more }: CompressOptions): boolean =>
  minutes !== undefined || trials !== undefined || more !== undefined

/** What was found before the first trial: the engine, and what the samples and labels hold, not only their name. */
export const seenBy = ({ target, data, judge, calibratedBy }: Setup): Identity => ({
  engine: [target.name, target.version, target.device, target.threads],
  data,
  calibration: calibratedBy,
  heldOut: judge?.fingerprint ?? null,
  quality: judge && [judge.measure.kind, judge.measure.output ?? null, judge.measure.baseline],
})
