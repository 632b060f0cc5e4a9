/** Everything a search stands on before its first trial: engines, samples, the prepared model, the original's measures. */

import { arch } from 'node:os'
import { prepareModel } from '../compress/prepare.js'
import { calibrateUnits } from '../compress/quantize/index.js'
import type { TransformEnv } from '../compress/transform.js'
import type { Sample, Samples } from '../data/samples.js'
import { draw, split, take } from '../data/split.js'
import { withStates } from '../data/state.js'
import { randomFeeds } from '../data/synthesize.js'
import type { Engine, Session } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { checkParity } from '../engine/parity.js'
import { clamp } from '../grids/affine.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { fixedForm } from '../passes/fixed-form.js'
import { inspectModel } from '../passes/inspect.js'
import { fixInputs } from '../passes/with-shapes.js'
import { messageOf, PareError } from '../util/errors.js'
import { sha256 } from '../util/hash.js'
import type { CompressOptions, Target } from './compress.js'
import type { Bench } from './evaluate.js'
import { openJudge } from './quality.js'
import { fingerprint } from './reference.js'

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

/** Most samples used for ranges, drawn from all: more change them little. */
const CALIBRATION = 256
/**
 * Held-out samples: as many as multiply-accumulates allow, within bounds. Decided by what the model computes and not
 * by a clock, so that the same search sees the same samples every time.
 */
const HELD_OUT_MACS = 1e11
const HELD_OUT_MIN = 16
const HELD_OUT_MAX = 5000
const HELD_OUT_UNKNOWN = 200
/** Fewer held-out samples than this are worth a warning. */
const FEW = 20

const DEVICES: Readonly<Record<Target, string>> = { node: 'cpu', web: 'wasm', webgpu: 'webgpu' }

/** Options with their defaults. Throws `OPTION_VALUE`. */
export function settingsOf(options: CompressOptions) {
  const { maxDrop = 0.01, target = 'node', portable = false, seed = 0, rounds = 60, budgetMs = 3000 } = options
  const objective = options.for ?? 'latency'
  const check = (name: string, value: unknown, ok: boolean, remedy: string): void => {
    if (!ok) throw new PareError('OPTION_VALUE', 'the option cannot have this value', { where: name, value, remedy })
  }
  check('restart', true, !(options.resume && options.restart), 'Give resume or restart, not both.')
  check('maxDrop', maxDrop, Number.isFinite(maxDrop) && maxDrop >= 0, 'Give a number that is not negative: 0.01.')
  check('rounds', rounds, Number.isSafeInteger(rounds) && rounds > 0, 'Give a whole number above 0: 60.')
  check('budgetMs', budgetMs, Number.isFinite(budgetMs) && budgetMs >= 0, 'Give milliseconds: 3000.')
  check('target', target, Object.hasOwn(DEVICES, target), `Give one of: ${Object.keys(DEVICES).join(', ')}.`)
  check('for', objective, objective === 'latency' || objective === 'size', 'Give latency or size.')
  return { maxDrop, target, portable, seed, objective, measure: { rounds, budgetMs } } as const
}

/** The type of activations that this machine's integer kernels take. */
export const activationsOf = (): 'uint8' | 'int8' => (arch() === 'arm64' || arch() === 'arm' ? 'int8' : 'uint8')

/** Throws `OPTION_VALUE`, `SAMPLES_EMPTY`, `SAMPLES_FEW`, and what samples and engine throw. */
export async function openSetup(model: Model, options: CompressOptions, runFolder: string): Promise<Setup> {
  const { signal, samples, threads, onProgress, shapes = {} } = options
  const { maxDrop, target, seed, measure } = settingsOf(options)
  const run = signal ? { signal } : {}
  const warnings: string[] = []
  const warn = (message: string): void => {
    warnings.push(message)
    options.onWarning?.(message)
  }
  const engineOptions = { ...(threads !== undefined && { threads }), onWarning: warn }
  const engines: Engine[] = []
  const open = async (device: string): Promise<Engine> => {
    const engine = await openEngine({ ...engineOptions, device })
    engines.push(engine)
    return engine
  }
  const close = async (): Promise<void> => {
    await Promise.all(engines.map((e) => e.close()))
  }
  try {
    const cpu = await open('cpu')
    const device = target === 'node' ? cpu : await open(DEVICES[target])
    const env: TransformEnv = {
      engine: async () => cpu,
      seed,
      onWarning: warn,
      ...run,
      ...(onProgress && { onProgress }),
      ...(options.portable !== undefined && { portable: options.portable }),
    }
    const original = options.original ?? encodeModel(model).bytes
    const form = await fixedForm(model, shapes, async () => device, { ...run, onWarning: warn })
    const prepared = await prepareModel(form, env)
    const session = await reloadable(device, original, signal)
    const data = samples === undefined ? null : await partsOf(samples, prepared, env)
    const feeds = data?.feeds ?? [randomFeeds(fixInputs(session.inputs, shapes), { seed })]
    if (target !== 'node') await checkParity(device, cpu, original, feeds[0]!, run)
    const judge = data && (await openJudge(session, data.heldOut, { seed, ...judgeOptions(options) }))
    for (const warning of judge?.warnings ?? []) warn(warning)
    // What the judge keeps of the original is mostly enough; a large model need not lie in memory all along.
    await session.close()
    const calibration = data ? await calibrateUnits(prepared, data.calibration(session), env) : undefined
    await session.close()
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
      runFolder,
      env: {
        ...env,
        teacher: prepared,
        ...(data && { samples: data.calibration(session) }),
        ...(calibration && { calibration }),
      },
      measure,
      data: judge && {
        name: samples!.name,
        total: data!.total,
        calibration: calibration?.samples ?? 0,
        heldOut: judge.samples,
        labels: judge.labelled,
      },
      calibratedBy: data && calibration ? data.calibratedBy() : null,
      activations: activationsOf(),
      warnings,
      warn,
      close,
    }
  } catch (error) {
    await close()
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

/** A session that may be closed at any time: the next run loads the model again. */
export async function reloadable(engine: Engine, model: Uint8Array, signal: AbortSignal | undefined): Promise<Session> {
  const load = (): Promise<Session> => engine.load(model, signal ? { signal } : {})
  const { inputs, outputs, ...session } = await load()
  let loaded: Promise<Pick<Session, 'run' | 'close'>> | null = Promise.resolve(session)
  return {
    inputs,
    outputs,
    async run(feeds, options) {
      loaded ??= load()
      return (await loaded).run(feeds, options)
    },
    async close() {
      const last = loaded
      loaded = null
      await (await last)?.close()
    },
  }
}

const judgeOptions = ({ metric, scores, signal }: CompressOptions) => ({
  ...(metric && { metric }),
  ...(scores !== undefined && { scores }),
  ...(signal && { signal }),
})

/** Half for ranges and half held out, both bounded and drawn from the whole source; a few held out, for timing. */
async function partsOf(samples: Samples, prepared: Model, { seed = 0, signal, onProgress }: TransformEnv) {
  const { macs } = inspectModel(prepared)
  const limit =
    macs === null ? HELD_OUT_UNKNOWN : clamp(Math.floor(HELD_OUT_MACS / Math.max(1, macs)), HELD_OUT_MIN, HELD_OUT_MAX)
  const isRecurrent = (samples.carry ?? []).length > 0
  const parts = await split(samples, {
    seed,
    // Of a recurrent model more frames are run than are counted: its state must get to where it gets in use.
    calibration: isRecurrent ? Math.max(CALIBRATION, limit) : CALIBRATION,
    heldOut: limit,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  })
  if (parts.calibration.count === 0 || parts.heldOut.count === 0) throw tooFew(samples, parts.total)
  const first = await firstSamples(parts.heldOut, 8, signal)
  if (first.length === 0) throw tooFew(samples, parts.calibration.count)
  const seen = fingerprint()
  const read = {
    ...parts.calibration,
    async *read(options) {
      for await (const sample of parts.calibration.read(options)) {
        seen.add(sample)
        yield sample
      }
    },
  } satisfies Samples
  return {
    feeds: first.map(({ feeds }) => feeds),
    heldOut: parts.heldOut,
    total: parts.total,
    /** What calibrates; `original` makes the states that it needs. */
    calibration: (original: Session): Samples =>
      draw({ ...withStates(read, original), count: read.count }, CALIBRATION, seed),
    /** Hash of what was read to calibrate, known afterwards. */
    calibratedBy: () => seen.hex(),
    warning: stateWarning(samples, first),
  }
}

/** What must be known where states start anew at each sample; null where they do not. */
function stateWarning({ carry = [] }: Samples, first: readonly Sample[]): string | null {
  const own = carry.filter(({ input }) =>
    first.every(({ feeds, sequence }) => sequence === undefined && feeds[input]?.bytes().every((b) => b === 0)),
  )
  if (own.length === 0) return null
  const names = own.map(({ input }) => input).join(', ')
  return `The samples do not say which recording they are of (sequence), so ${names} starts as zeros at each: ranges and quality hold for first frames only.`
}

function tooFew({ name }: Samples, some: number): PareError {
  return some === 0
    ? new PareError('SAMPLES_EMPTY', 'there are no samples', {
        where: name,
        remedy: 'Check the path given as --data.',
      })
    : new PareError('SAMPLES_FEW', 'one half of the samples calibrates, the other judges, and one half is empty', {
        where: name,
        remedy: 'Give at least two samples, better 40.',
      })
}

async function firstSamples(samples: Samples, n: number, signal: AbortSignal | undefined): Promise<readonly Sample[]> {
  const first: Sample[] = []
  for await (const sample of take(samples, n).read(signal ? { signal } : {})) first.push(sample)
  return first
}
