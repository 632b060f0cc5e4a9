/** Where training stands between two epochs: enough to go on as if it had not been stopped, bit for bit. */

import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { sha256 } from '../util/hash.js'
import { random } from '../util/random.js'
import type { Augment } from './augment.js'
import type { Dataset } from './dataset.js'
import type { Score } from './evaluate.js'
import type { States } from './feeds.js'
import type { Epoch } from './loop.js'
import type { Schedule } from './schedules.js'
import type { TrainingStep } from './step.js'
import type { TrainOptions } from './train.js'

export interface Checkpoint {
  /** Of all that decides what comes out; a run with other choices or other data cannot go on from here. */
  readonly digest: string
  /** The score of the weights that were given. */
  readonly before?: Score
  readonly history: readonly Epoch[]
  readonly states: States
  readonly best: Best
  /** What the learning rate is multiplied by, where plateaus lower it; and the epoch of the last change. */
  readonly rate: { readonly factor: number; readonly since: number }
}

/** The weights that were best so far. */
export interface Best {
  readonly epoch: number
  /** What they were judged by, less being better: the loss, or another metric, negated where more of it is better. */
  readonly cost: number
  /** Those states alone that hold weights. */
  readonly states: States
}

interface Decided extends Pick<TrainOptions, 'mixup' | 'plateau' | 'workers' | 'augment' | 'bestBy'> {
  readonly step: TrainingStep
  readonly data: Dataset
  readonly validation: Dataset | null
  readonly seed: number
  readonly epochs: number
  readonly learningRate: number
  readonly schedule: Schedule
}

/** Bytes that are hashed at once: the hash takes less than 2 GiB. */
const CHUNK = 2 ** 26

/** Rates of a schedule that are looked at. */
const LOOKS = 1000

/** `block`: the encoded training block, which holds model, loss, penalties, optimizer and what is frozen. */
export async function runDigest(block: Uint8Array, run: Decided): Promise<string> {
  const { step, data, validation, mixup, plateau, workers, augment, bestBy, seed, epochs, learningRate, schedule } = run
  const rates = Array.from({ length: LOOKS }, (_, i) => schedule(i, LOOKS))
  const choices = [
    epochs,
    learningRate,
    seed,
    data.count,
    mixup,
    plateau,
    workers?.length ?? 0,
    augment === undefined ? null : await effectOf(augment, data),
    bestBy?.name,
    rates,
  ]
  const columns = [data, ...(validation ? [validation] : [])].flatMap((d) => [
    ...d.inputs.values(),
    ...d.targets.values(),
  ])
  const bytes = columns.map(({ data: a }) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength))
  const parts = [block, ...step.states.map((s) => s.initial.bytes()), ...bytes]
  const digests: string[] = []
  for (const part of parts)
    for (let at = 0; at < part.length; at += CHUNK) digests.push(await sha256(part.subarray(at, at + CHUNK)))
  return sha256(JSON.stringify([choices, digests]))
}

/** Samples that changes are tried on, spread over the data, as some are blank; and draws of each, as changes may be rare. */
const TRIED = 16
const DRAWS = 8

/** What changes of samples come to: a function cannot be hashed, what it makes of some samples can. */
async function effectOf(augment: Augment, { count, inputs }: Dataset): Promise<string> {
  const digests: string[] = []
  const tried = Math.min(TRIED, count)
  for (let draw = 0; draw < tried * DRAWS; draw++) {
    const row = Math.floor(((draw % tried) * count) / tried)
    for (const [input, { shape, data }] of inputs) {
      const size = data.length / count
      const values = data.slice(row * size, (row + 1) * size)
      augment(values, { input, shape }, random(draw))
      digests.push(await sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)))
    }
  }
  return sha256(digests.join())
}

/** Throws `TRAIN_CHECKPOINT` unless a run can go on from there. */
export function checkCheckpoint({ digest, states, best }: Checkpoint, step: TrainingStep, own: string): void {
  if (digest !== own) throw otherRun('other options, another model or other data')
  const missing = step.states.find(({ name, initial }) => !isAlike(states.get(name), initial))
  if (missing !== undefined || states.size !== step.states.length)
    throw otherRun(`no ${missing?.name ?? 'equal states'}`)
  const lost = [...step.parameters.values()].find((name) => !best.states.has(name))
  if (lost !== undefined) throw otherRun(`no best ${lost}`)
}

const isAlike = (a: Tensor | undefined, b: Tensor): boolean =>
  a !== undefined && a.dtype === b.dtype && a.shape.join() === b.shape.join()

const otherRun = (value: string): PareError =>
  new PareError('TRAIN_CHECKPOINT', 'the checkpoint is of another run', {
    value,
    remedy: 'Give the model, the data and the options that it was made with, or start anew under another name.',
  })
