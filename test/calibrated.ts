/** Static quantization of small graphs, for tests: calibrates on given inputs and applies. */

import { calibrate } from '../src/compress/quantize/calibrate.js'
import { peakTargets } from '../src/compress/quantize/peaks.js'
import { quantizeStatic } from '../src/compress/quantize/static.js'
import { calibrationTargets, findUnits } from '../src/compress/quantize/units.js'
import { checkParams, type TransformEnv } from '../src/compress/transform.js'
import type { Engine, Feeds } from '../src/engine/engine.js'
import type { Model, Tensor } from '../src/ir/types.js'
import { encodeModel } from '../src/onnx/codec.js'
import { randomFeeds } from './random-feeds.js'

export async function* stream<T>(items: Iterable<T>): AsyncIterable<T> {
  yield* items
}

export async function calibratedEnv(engine: Engine, model: Model, feeds: readonly Feeds[]): Promise<TransformEnv> {
  const units = findUnits(model.graph)
  const peaks = peakTargets(model.graph, units)
  const targets = calibrationTargets(model.graph, units)
  return { engine: async () => engine, calibration: await calibrate(model, targets, stream(feeds), engine, { peaks }) }
}

/** Inputs of random numbers in [-1, 1], one set for each seed. */
export async function feedsOf(engine: Engine, model: Model, seeds: readonly number[] = [1, 2, 3, 4]): Promise<Feeds[]> {
  const session = await engine.load(encodeModel(model).bytes, { optimization: 'off' })
  await session.close()
  return seeds.map((seed) => randomFeeds(session.inputs, { seed }))
}

export async function staticModel(
  engine: Engine,
  model: Model,
  feeds: readonly Feeds[],
  params: Readonly<Record<string, unknown>> = {},
): Promise<Model> {
  return quantizeStatic.apply(model, checkParams(quantizeStatic, params), await calibratedEnv(engine, model, feeds))
}

export async function outputsOf(
  engine: Engine,
  model: Model,
  feeds: Feeds,
  optimization: 'off' | 'all' = 'all',
): Promise<Record<string, Tensor>> {
  const session = await engine.load(encodeModel(model).bytes, { optimization })
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}
