/** `quantize`: one model, one kind, the recipe that fits. */

import type { Samples } from '../../data/samples.js'
import type { Feeds } from '../../engine/engine.js'
import type { Model } from '../../ir/types.js'
import { compact } from '../../passes/compact.js'
import type { Env } from '../../passes/pass.js'
import { PareError } from '../../util/errors.js'
import { prepareModel } from '../prepare.js'
import { applySteps, type Int8Options, QUANTIZE_KINDS, type QuantizeKind, recipeFor } from '../recipes.js'
import type { Calibration } from '../transform.js'
import { calibrate } from './calibrate.js'
import { calibrationTargets, findUnits } from './units.js'

export interface QuantizeOptions extends Int8Options {
  readonly to: QuantizeKind
  /** Real inputs to fix the ranges of activations with. Without them int8 is dynamic. */
  readonly samples?: Samples
  /** Keep to operators of the ONNX standard. */
  readonly portable?: boolean
}

/**
 * The model with its weights, and for int8 its arithmetic, in fewer bits. The input is cleaned and brought to opset
 * 21 first; names of inputs and outputs, their types and shapes stay.
 *
 * Errors: `QUANTIZE_KIND` for an unknown kind, `QUANTIZE_NOTHING` where the model has no weights to quantize.
 */
export async function quantize(
  model: Model,
  { to, samples, portable = false, ...options }: QuantizeOptions,
  env: Env,
): Promise<Model> {
  if (!QUANTIZE_KINDS.includes(to)) {
    throw new PareError('QUANTIZE_KIND', 'there is no such kind of quantization', {
      value: to,
      remedy: `Give one of: ${QUANTIZE_KINDS.join(', ')}.`,
    })
  }
  const prepared = await prepareModel(model, env)
  const calibration =
    to === 'int8' && samples !== undefined
      ? await calibrateUnits(prepared, samples, env, (options.range ?? 'min-max') === 'min-max' ? 'range' : 'histogram')
      : undefined
  const recipe = recipeFor(to, calibration !== undefined, options)
  const result = await applySteps(prepared, recipe.steps, { ...env, portable, ...(calibration && { calibration }) })
  if (result === prepared) {
    throw new PareError('QUANTIZE_NOTHING', `there is nothing to quantize to ${to}`, {
      where: model.graph.name,
      remedy: 'The model has no large float32 weights; see `pare inspect`.',
    })
  }
  return compact.run(result, env)
}

/** Ranges of everything that a static recipe may put on a grid; undefined where the model has no such unit. */
export async function calibrateUnits(
  prepared: Model,
  samples: Samples,
  env: Env,
  detail: 'histogram' | 'range' = 'histogram',
): Promise<Calibration | undefined> {
  const units = findUnits(prepared.graph)
  if (!units.some((u) => u.weight !== undefined)) return undefined
  return calibrate(
    prepared,
    calibrationTargets(prepared.graph, units),
    feedsOf(samples, env.signal),
    await env.engine(),
    {
      detail,
      ...(env.signal && { signal: env.signal }),
      ...(env.onProgress && { onProgress: env.onProgress }),
      ...(samples.count !== null && { total: samples.count }),
    },
  )
}

async function* feedsOf(samples: Samples, signal?: AbortSignal): AsyncIterable<Feeds> {
  for await (const sample of samples.read(signal ? { signal } : {})) yield sample.feeds
}
