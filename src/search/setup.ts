/** Everything a search stands on before its first trial: engines, samples, the prepared model, the original's measures. */

import { arch } from 'node:os'
import { prepareModel } from '../compress/prepare.js'
import { calibrateUnits } from '../compress/quantize/index.js'
import type { TransformEnv } from '../compress/transform.js'
import type { Samples } from '../data/samples.js'
import { split, take } from '../data/split.js'
import { randomFeeds } from '../data/synthesize.js'
import type { Engine, Feeds } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { checkParity } from '../engine/parity.js'
import { clamp } from '../grids/affine.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { inspectModel } from '../passes/inspect.js'
import { sha256 } from '../util/hash.js'
import type { CompressOptions, Target } from './compress.js'
import type { Bench } from './evaluate.js'
import { openJudge } from './quality.js'

export interface Setup extends Bench {
  readonly data: {
    readonly name: string
    readonly calibration: number
    readonly heldOut: number
    readonly labels: boolean
  } | null
  readonly activations: 'uint8' | 'int8'
  readonly warnings: readonly string[]
  close(): Promise<void>
}

/** Most samples used for ranges: more change them little. */
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

export async function openSetup(model: Model, options: CompressOptions, runFolder: string): Promise<Setup> {
  const { signal, seed = 0, samples, target = 'node', threads, onProgress } = options
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
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
      ...(options.portable !== undefined && { portable: options.portable }),
    }
    const original = options.original ?? encodeModel(model).bytes
    const prepared = await prepareModel(model, env)
    const session = await device.load(original, signal ? { signal } : {})
    const data = samples === undefined ? null : partsOf(samples, prepared, seed)
    const feeds = data === null ? [randomFeeds(session.inputs, { seed })] : await firstFeeds(data.heldOut, 8)
    if (target !== 'node') await checkParity(device, cpu, original, feeds[0]!, signal ? { signal } : {})
    const judge = data === null ? null : await openJudge(session, data.heldOut, judgeOptions(options))
    const calibration = data === null ? undefined : await calibrateUnits(prepared, data.calibration, env)
    const heldOut = judge?.samples ?? 0
    if (judge === null) {
      warn(
        'No samples were given: nothing is promised about quality, and only recipes that need no calibration are tried.',
      )
    } else if (heldOut < FEW) {
      warn(`Quality rests on ${heldOut} held-out samples: give more to trust its last digits.`)
    }
    return {
      original,
      prepared,
      sha256: await sha256(original),
      target: device,
      judge,
      feeds,
      maxDrop: options.maxDrop ?? 0.01,
      runFolder,
      env: { ...env, ...(calibration && { calibration }) },
      measure: { rounds: options.rounds ?? 60, budgetMs: options.budgetMs ?? 3000 },
      data: judge && {
        name: samples!.name,
        calibration: calibration?.samples ?? 0,
        heldOut,
        labels: judge.measure.kind === 'accuracy' || judge.measure.kind === 'rmse',
      },
      activations: arch() === 'arm64' || arch() === 'arm' ? 'int8' : 'uint8',
      warnings,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

const judgeOptions = ({ metric, scores, signal }: CompressOptions) => ({
  ...(metric && { metric }),
  ...(scores !== undefined && { scores }),
  ...(signal && { signal }),
})

/** Half for ranges and half held out, both bounded. */
function partsOf(samples: Samples, prepared: Model, seed: number) {
  const parts = split(samples, { seed })
  const { macs } = inspectModel(prepared)
  const limit =
    macs === null ? HELD_OUT_UNKNOWN : clamp(Math.floor(HELD_OUT_MACS / Math.max(1, macs)), HELD_OUT_MIN, HELD_OUT_MAX)
  return { calibration: take(parts.calibration, CALIBRATION), heldOut: take(parts.heldOut, limit) }
}

async function firstFeeds(samples: Samples, n: number): Promise<readonly Feeds[]> {
  const feeds: Feeds[] = []
  for await (const sample of take(samples, n).read()) feeds.push(sample.feeds)
  return feeds
}
