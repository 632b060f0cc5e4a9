/** Calibration of all that static quantization may put on a grid. */

import type { Samples } from '../../data/samples.js'
import { withStates } from '../../data/state.js'
import type { Feeds } from '../../engine/engine.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import type { Env } from '../../passes/pass.js'
import type { Calibration } from '../transform.js'
import { calibrate } from './calibrate.js'
import { peakTargets } from './peaks.js'
import { calibrationTargets, findUnits } from './units.js'
import { calibrateFinite, constantRanges } from './watch.js'

/** Ranges of everything that a static recipe may put on a grid; undefined where the model has no such unit. */
export async function calibrateUnits(
  prepared: Model,
  samples: Samples,
  env: Env,
  detail: 'histogram' | 'range' = 'histogram',
): Promise<Calibration | undefined> {
  const units = findUnits(prepared.graph)
  if (!units.some((u) => u.weight !== undefined)) return undefined
  const targets = calibrationTargets(prepared.graph, units)
  const engine = await env.engine()
  const run = env.signal ? { signal: env.signal } : {}
  const options = {
    detail,
    peaks: peakTargets(prepared.graph, units),
    ...run,
    ...(env.onProgress && { onProgress: env.onProgress }),
    ...(samples.count !== null && { total: samples.count }),
    name: samples.name,
  }
  const isRecurrent = (samples.carry ?? []).length > 0
  const original = isRecurrent ? await engine.load(encodeModel(prepared).bytes, run) : null
  try {
    const seen = original === null ? samples : withStates(samples, original)
    const read = (feeds: AsyncIterable<Feeds>) => calibrate(prepared, targets, feeds, engine, options)
    const calibration = await calibrateFinite(seen, units, read, env)
    const constant = constantRanges(units, calibration)
    if (constant !== null) env.onWarning?.(constant)
    return calibration
  } finally {
    await original?.close()
  }
}
