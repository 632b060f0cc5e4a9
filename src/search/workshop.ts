/**
 * What candidates are made with: the engine, the prepared model, and the half of the samples that may be looked at. A
 * search and `applyRecipe` open the same, so that a recipe gives the same bytes in both.
 */

import { prepareModel } from '../compress/prepare.js'
import { calibrateUnits } from '../compress/quantize/index.js'
import type { TransformEnv } from '../compress/transform.js'
import type { Sample, Samples } from '../data/samples.js'
import { draw, split, take } from '../data/split.js'
import { withStates } from '../data/state.js'
import type { Engine, Session } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { clamp } from '../grids/affine.js'
import type { Model } from '../ir/types.js'
import { fixedForm } from '../passes/fixed-form.js'
import { inspectModel } from '../passes/inspect.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { fingerprint } from './reference.js'

export interface WorkshopOptions extends Omit<RunOptions, 'onWarning'> {
  readonly original: Uint8Array
  readonly samples?: Samples
  readonly shapes?: InputShapes
  readonly threads?: number
  readonly portable?: boolean
  /** Where the model will run: `cpu`, `wasm`, `webgpu`. */
  readonly device: string
}

export interface Workshop {
  readonly cpu: Engine
  /** The engine that measures; `cpu` itself where that is the target. */
  readonly device: Engine
  /** The original, cleaned and at the opset that transforms need: what steps are applied to. */
  readonly prepared: Model
  /** The original on the device. */
  readonly session: Session
  /** Null without samples. */
  readonly data: Parts | null
  readonly warnings: readonly string[]
  warn(message: string): void
  /** Everything that transforms are given, the samples looked through for ranges. */
  learned(): Promise<Learned>
  close(): Promise<void>
}

export interface Learned {
  readonly env: TransformEnv
  /** SHA-256 over the samples that calibrated; null where none did. */
  readonly calibratedBy: string | null
}

/** Most samples used for ranges, drawn from all: more change them little. */
const CALIBRATION = 256
/** Most samples that recovery learns from, and the bytes that they may take in memory. */
const TRAINING = 20_000
const TRAINING_BYTES = 512e6
/**
 * Held-out samples: as many as multiply-accumulates allow, within bounds. Decided by what the model computes and not
 * by a clock, so that the same search sees the same samples every time.
 */
const HELD_OUT_MACS = 1e11
const HELD_OUT_MIN = 16
const HELD_OUT_MAX = 5000
const HELD_OUT_UNKNOWN = 200

/** Throws `SAMPLES_EMPTY`, `SAMPLES_FEW`, and what samples and engine throw. */
export async function openWorkshop(
  model: Model,
  options: WorkshopOptions,
  onWarning?: (message: string) => void,
): Promise<Workshop> {
  const { original, signal, samples, threads, onProgress, shapes = {}, seed = 0 } = options
  const run = signal ? { signal } : {}
  const warnings: string[] = []
  // What each of many trials has to say is said once.
  const warn = (message: string): void => {
    if (warnings.includes(message)) return
    warnings.push(message)
    onWarning?.(message)
  }
  const engines: Engine[] = []
  const open = async (device: string): Promise<Engine> => {
    const engine = await openEngine({ ...(threads !== undefined && { threads }), onWarning: warn, device })
    engines.push(engine)
    return engine
  }
  const close = async (): Promise<void> => {
    await Promise.all(engines.map((e) => e.close()))
  }
  try {
    const cpu = await open('cpu')
    const device = options.device === 'cpu' ? cpu : await open(options.device)
    const env: TransformEnv = {
      engine: async () => cpu,
      seed,
      onWarning: warn,
      ...run,
      ...(onProgress && { onProgress }),
      ...(options.portable !== undefined && { portable: options.portable }),
    }
    // What a recipe gives must not depend on where the model will run: the cpu decides here, and makes the states too.
    const form = await fixedForm(model, shapes, env.engine, { ...run, onWarning: warn })
    const prepared = await prepareModel(form, env)
    const session = await reloadable(device, original, signal)
    const data = samples === undefined ? null : await partsOf(samples, prepared, env)
    const isElsewhere = device !== cpu && (samples?.carry ?? []).length > 0
    const learned = async (): Promise<Learned> => {
      const states = isElsewhere ? await reloadable(cpu, original, signal) : session
      const calibration = data ? await calibrateUnits(prepared, data.calibration(states), env) : undefined
      // Recovery may ask for states again; until then a large model need not lie in memory.
      await states.close()
      const calibratedBy = data && calibration ? data.calibratedBy() : null
      const learning = data && { samples: data.samples(states), training: data.training(states) }
      return {
        env: { ...env, teacher: prepared, ...learning, ...(calibration && { calibration }) },
        calibratedBy,
      }
    }
    return { cpu, device, prepared, session, data, warnings, warn, learned, close }
  } catch (error) {
    await close()
    throw error
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

type Parts = Awaited<ReturnType<typeof partsOf>>

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
    training: TRAINING,
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
  const most = Math.floor(TRAINING_BYTES / Math.max(1, Math.max(...first.map(bytesOf))))
  return {
    feeds: first.map(({ feeds }) => feeds),
    heldOut: parts.heldOut,
    total: parts.total,
    /** What calibrates; `original` makes the states that it needs. */
    calibration: (original: Session): Samples =>
      draw({ ...withStates(read, original), count: read.count }, CALIBRATION, seed),
    /** The same, to be read again and again. */
    samples: (original: Session): Samples =>
      draw({ ...withStates(parts.calibration, original), count: read.count }, CALIBRATION, seed),
    /** What recovery learns from; of recordings it sees no more than what calibrates does. */
    training: (original: Session): Samples =>
      draw({ ...withStates(parts.training, original), count: parts.training.count }, Math.max(1, most), seed),
    /** Hash of what was read to calibrate, known afterwards. */
    calibratedBy: () => seen.hex(),
    warning: stateWarning(samples, first),
  }
}

const bytesOf = ({ feeds }: Sample): number => Object.values(feeds).reduce((n, t) => n + t.byteLength, 0)

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
