/** Everything a search stands on before its first trial: engines, samples, the prepared model, the original's measures. */

import { arch } from 'node:os'
import { randomFeeds } from '../data/synthesize.js'
import { checkParity } from '../engine/parity.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { fixInputs } from '../passes/with-shapes.js'
import { messageOf, PareError } from '../util/errors.js'
import { sha256 } from '../util/hash.js'
import type { CompressOptions, Target } from './compress.js'
import type { Bench } from './evaluate.js'
import { openJudge } from './quality.js'
import { openWorkshop } from './workshop.js'

export interface Setup extends Bench {
  readonly data: {
    readonly name: string
    /** Samples that the source holds; those used were drawn from all of them. */
    readonly total: number
    readonly calibration: number
    readonly heldOut: number
    readonly labels: boolean
  } | null
  /** SHA-256 over the samples that calibrated; null where none did. */
  readonly calibratedBy: string | null
  readonly activations: 'uint8' | 'int8'
  /** What the reader must know; more are added as the search goes. */
  readonly warnings: readonly string[]
  warn(message: string): void
  close(): Promise<void>
}

/** Fewer held-out samples than this are worth a warning. */
const FEW = 20

const DEVICES: Readonly<Record<Target, string>> = { node: 'cpu', web: 'wasm', webgpu: 'webgpu' }

/** Options with their defaults. Throws `OPTION_VALUE`. */
export function settingsOf(options: CompressOptions) {
  const { maxDrop = 0.01, target = 'node', portable = false, seed = 0, rounds = 60, budgetMs = 3000 } = options
  const objective = options.for ?? 'latency'
  const { maxBytes, maxLatency } = options
  const check = (name: string, value: unknown, ok: boolean, remedy: string): void => {
    if (!ok) throw new PareError('OPTION_VALUE', 'the option cannot have this value', { where: name, value, remedy })
  }
  check('restart', true, !(options.resume && options.restart), 'Give resume or restart, not both.')
  check('maxDrop', maxDrop, Number.isFinite(maxDrop) && maxDrop >= 0, 'Give a number that is not negative: 0.01.')
  check('rounds', rounds, Number.isSafeInteger(rounds) && rounds > 0, 'Give a whole number above 0: 60.')
  check('budgetMs', budgetMs, Number.isFinite(budgetMs) && budgetMs >= 0, 'Give milliseconds: 3000.')
  check('target', target, Object.hasOwn(DEVICES, target), `Give one of: ${Object.keys(DEVICES).join(', ')}.`)
  check('for', objective, objective === 'latency' || objective === 'size', 'Give latency or size.')
  for (const name of ['maxBytes', 'maxLatency', 'minutes', 'more', 'recover'] as const) {
    const value = options[name]
    check(name, value, value === undefined || value > 0, 'Give a number above 0.')
  }
  check(
    'trials',
    options.trials,
    options.trials === undefined || isCount(options.trials),
    'Give a whole number above 0.',
  )
  const limits = {
    ...(maxBytes !== undefined && { bytes: maxBytes }),
    ...(maxLatency !== undefined && { latency: maxLatency }),
  }
  return { maxDrop, limits, target, portable, seed, objective, measure: { rounds, budgetMs } } as const
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0

/** The type of activations that this machine's integer kernels take. */
export const activationsOf = (): 'uint8' | 'int8' => (arch() === 'arm64' || arch() === 'arm' ? 'int8' : 'uint8')

/** Throws `OPTION_VALUE`, `SAMPLES_EMPTY`, `SAMPLES_FEW`, and what samples and engine throw. */
export async function openSetup(model: Model, options: CompressOptions, runFolder: string): Promise<Setup> {
  const { signal, samples, shapes = {} } = options
  const { maxDrop, limits, target, seed, measure } = settingsOf(options)
  const run = signal ? { signal } : {}
  const original = options.original ?? encodeModel(model).bytes
  const workshop = await openWorkshop(model, { ...options, original, device: DEVICES[target] }, options.onWarning)
  const { cpu, device, prepared, session, data, warn } = workshop
  try {
    const feeds = data?.feeds ?? [randomFeeds(fixInputs(session.inputs, shapes), { seed })]
    if (target !== 'node') await checkParity(device, cpu, original, feeds[0]!, run)
    const judge = data && (await openJudge(session, data.heldOut, { seed, ...judgeOptions(options) }))
    for (const warning of judge?.warnings ?? []) warn(warning)
    // What the judge keeps of the original is mostly enough; a large model need not lie in memory all along.
    await session.close()
    const { env, calibratedBy } = await workshop.learned()
    if (data?.warning) warn(data.warning)
    if (judge === null) {
      warn(
        'No samples were given: nothing is promised about quality, and only recipes that need no calibration are tried.',
      )
    } else if (judge.samples < FEW) {
      warn(`Quality rests on ${judge.samples} held-out samples: give more to trust its last digits.`)
    }
    return {
      original,
      prepared,
      sha256: await sha256(original),
      target: device,
      judge,
      feeds,
      maxDrop,
      limits,
      runFolder,
      env,
      measure,
      data: judge && {
        name: samples!.name,
        total: data!.total,
        calibration: env.calibration?.samples ?? 0,
        heldOut: judge.samples,
        labels: judge.labelled,
      },
      calibratedBy,
      activations: activationsOf(),
      warnings: workshop.warnings,
      warn,
      close: workshop.close,
    }
  } catch (error) {
    await workshop.close()
    throw error
  }
}

/** What a search can do without: a failure of it is a warning. Cancelling throws. */
export async function optional<T>(
  { env, warn }: Pick<Setup, 'env' | 'warn'>,
  what: string,
  none: T,
  make: () => Promise<T>,
): Promise<T> {
  try {
    return await make()
  } catch (error) {
    env.signal?.throwIfAborted()
    warn(`${what}: ${messageOf(error)}`)
    return none
  }
}

const judgeOptions = ({ metric, scores, signal }: CompressOptions) => ({
  ...(metric && { metric }),
  ...(scores !== undefined && { scores }),
  ...(signal && { signal }),
})
