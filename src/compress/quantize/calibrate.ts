/**
 * Calibration: runs samples through a model and keeps a histogram of each value asked for. Memory does not grow
 * with the number of samples; the next sample runs in the engine's thread while the last one is counted here.
 */

import type { Engine, Feeds } from '../../engine/engine.js'
import { histogramCollector } from '../../grids/histogram.js'
import { floats } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import type { RunOptions } from '../../util/env.js'
import { PareError } from '../../util/errors.js'
import type { Calibration } from '../transform.js'

/** Samples kept whole, for checks that need real values side by side. */
const KEPT_FEEDS = 4

export interface CalibrateOptions extends RunOptions {
  /** Known number of samples, for the progress. */
  readonly total?: number
}

/** `names`: values of the main graph; those that are not float32 when run are left out of the result. */
export async function calibrate(
  model: Model,
  names: readonly string[],
  feeds: AsyncIterable<Feeds>,
  engine: Engine,
  options: CalibrateOptions = {},
): Promise<Calibration> {
  const inner = names.filter((name) => !model.graph.inputs.includes(name))
  const session = await engine.load(encodeModel(withOutputs(model, inner)).bytes, { signal: options.signal })
  const collectors = new Map(names.map((name) => [name, histogramCollector()]))
  const seen = new Set<string>()
  const kept: Feeds[] = []
  let samples = 0

  const count = (values: Readonly<Record<string, Tensor>>): void => {
    for (const [name, collector] of collectors) {
      const value = values[name]
      if (value?.dtype !== 'float32') continue
      seen.add(name)
      collector.add(floats(value))
    }
    samples++
    options.onProgress?.({
      task: 'calibrating',
      done: samples,
      ...(options.total !== undefined && { total: options.total }),
    })
  }

  try {
    let pending: Readonly<Record<string, Tensor>> | undefined
    for await (const sample of feeds) {
      options.signal?.throwIfAborted()
      if (kept.length < KEPT_FEEDS) kept.push(sample)
      const run = session
        .run(sample, { outputs: inner, signal: options.signal })
        .then((result) => ({ ...sample, ...result }))
      if (pending) count(pending)
      pending = await run
    }
    if (pending) count(pending)
  } finally {
    await session.close()
  }
  if (samples === 0) {
    throw new PareError('SAMPLES_EMPTY', 'there are no samples to calibrate with', {
      remedy: 'Check the path given as --data.',
    })
  }
  const histograms = new Map(
    [...collectors].filter(([name]) => seen.has(name)).map(([name, c]) => [name, c.snapshot()]),
  )
  return { samples, histograms, feeds: kept }
}

/** The model with these values as its outputs. */
export function withOutputs(model: Model, names: readonly string[]): Model {
  return { ...model, graph: { ...model.graph, outputs: names } }
}
