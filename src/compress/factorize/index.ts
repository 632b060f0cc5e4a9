/** `factorize`: one model, its layers of low rank taken apart. */

import type { Samples } from '../../data/samples.js'
import { take } from '../../data/split.js'
import type { Feeds } from '../../engine/engine.js'
import type { Model } from '../../ir/types.js'
import { compact } from '../../passes/compact.js'
import type { Env } from '../../passes/pass.js'
import { PareError } from '../../util/errors.js'
import { significant } from '../../util/format.js'
import { resolveExcluded } from '../exclude.js'
import { prepareModel } from '../prepare.js'
import { suspectOutputs } from '../quantize/check.js'
import { checkParams, type ParamSpecs, type Params, type Transform, type TransformEnv } from '../transform.js'
import { type Factorized, type FactorizedLayer, factorizeLayers } from './factorize-layers.js'
import { FEWEST, factorizeFewest } from './fewest.js'
import type { FactorizeParams } from './params.js'
import { factorizeSlice } from './slice/slice.js'
import { sliceStreams } from './slice/slice-streams.js'
import { factorizeSvd, SVD } from './svd.js'
import { factorizeTucker, TUCKER } from './tucker.js'

export type { Factorized, FactorizedLayer }

export interface FactorizeOptions extends Partial<FactorizeParams> {
  /**
   * `svd` (the default) makes two layers of a Conv, Gemm or MatMul; `tucker` makes three of a Conv whose kernel has more
   * than one position, and leaves all others whole; `fewest` takes of a Conv whichever has fewer parameters. `slice` adds no
   * layer: it holds what layers add to and read without a function between, such as a residual stream, in fewer
   * coordinates. It needs samples, and takes neither `for` nor a criterion as `rank`.
   */
  readonly method?: 'svd' | 'tucker' | 'fewest' | 'slice'
  /** Of slices: widths are rounded up to a multiple of it. Default 4. */
  readonly multiple?: number
  /**
   * Real inputs: weights are cut where it changes the outputs least on them, and the mean of what is dropped goes into
   * the biases. Without them all inputs of a layer count alike.
   */
  readonly samples?: Samples
}

/** One of them, from the model as it is given. */
type Method = (
  model: Model,
  given: Omit<FactorizeOptions, 'method' | 'samples'>,
  env: TransformEnv,
) => Promise<Factorized & { readonly prepared: Model }>

function methodOf<S extends ParamSpecs>(
  transform: Transform<S>,
  run: (model: Model, params: Params<S>, env: TransformEnv) => Promise<Factorized>,
): Method {
  return async (model, given, env) => {
    checkParams(transform, given)
    const prepared = await prepareModel(model, env)
    const exclude = resolveExcluded(given.exclude ?? [], model, prepared)
    const refusal = transform.refuses(prepared, env)
    if (refusal !== null) throw nothing(`The reason: ${refusal}. See \`pare inspect\`.`)
    return { prepared, ...(await run(prepared, checkParams(transform, { ...given, exclude }), env)) }
  }
}

const byLayers = (way: Parameters<typeof factorizeLayers>[1]) => (m: Model, p: FactorizeParams, env: TransformEnv) =>
  factorizeLayers(m, way, p, env)

const METHODS: Readonly<Record<NonNullable<FactorizeOptions['method']>, Method>> = {
  svd: methodOf(factorizeSvd, byLayers(SVD)),
  tucker: methodOf(factorizeTucker, byLayers(TUCKER)),
  fewest: methodOf(factorizeFewest, byLayers(FEWEST)),
  slice: methodOf(factorizeSlice, sliceStreams),
}

/**
 * The model with layers as products of smaller ones, where that makes the file smaller (`for: 'size'`) or the layer faster
 * on this engine (`for: 'latency'`), and what became of each layer, or of each stream. The input is cleaned and brought to
 * opset 21 first; names of inputs and outputs, their types and shapes stay.
 *
 * Errors: `FACTORIZE_METHOD` for an unknown method, `FACTORIZE_NOTHING` where no layer gains anything, `PARAM_INVALID` for
 * options out of range and excluded nodes that do not exist, `SAMPLES_EMPTY`, and `CALIBRATION_MISSING` for slices without
 * samples.
 */
export async function factorize(
  model: Model,
  { method = 'svd', samples, ...given }: FactorizeOptions,
  env: Env,
): Promise<Factorized> {
  if (!Object.hasOwn(METHODS, method)) {
    throw new PareError('FACTORIZE_METHOD', 'there is no such way to take layers apart', {
      value: method,
      remedy: `Give one of: ${Object.keys(METHODS).join(', ')}.`,
    })
  }
  if (method === 'slice' && samples === undefined)
    throw new PareError('CALIBRATION_MISSING', 'slices need samples', { remedy: 'Give --data.' })
  const { prepared, model: made, layers } = await METHODS[method](model, given, { ...env, ...(samples && { samples }) })
  if (made === prepared) throw nothing(whyNothing(layers))
  const result = await compact.run(made, env)
  if (samples !== undefined) await warnIfFar(prepared, result, samples, env)
  return { model: result, layers }
}

/** Samples that the result is tried on. */
const TRIED = 4

const ADVICE = 'keep more of the energy, exclude layers, or train the result to answer as the model did (pare distill)'

async function warnIfFar(prepared: Model, result: Model, samples: Samples, env: Env): Promise<void> {
  const feeds: Feeds[] = []
  for await (const sample of take(samples, TRIED).read(env.signal ? { signal: env.signal } : {}))
    feeds.push(sample.feeds)
  const far = await suspectOutputs(prepared, result, feeds, await env.engine(), env.signal, ADVICE)
  if (far !== null) env.onWarning?.(far)
}

const nothing = (remedy: string): PareError =>
  new PareError('FACTORIZE_NOTHING', 'no layer gains anything by being taken apart', { where: 'model', remedy })

/** The layer that came nearest speaks for all. */
function whyNothing(layers: readonly FactorizedLayer[]): string {
  if (layers.length === 0) return 'All its layers are excluded.'
  const nearest = layers.reduce((a, b) => (costOf(b) < costOf(a) ? b : a))
  const { nodes, op, shape, ranks, parameters, parametersInParts, reason, time } = nearest
  const measured = time === undefined ? '' : `, ${significant(time.ratio)} of the time`
  const made =
    op === 'stream'
      ? `the stream of ${nodes[0]}: with ${ranks[0]} of its ${shape[0]} coordinates it has`
      : `${nodes[0]}: of rank ${ranks.join(' and ')} its parts have`
  return `Nearest to it is ${made} ${parametersInParts} parameters, of ${parameters}${measured}: ${reason}. Keep less energy, or leave the model as it is.`
}

const costOf = ({ parameters, parametersInParts, time }: FactorizedLayer): number =>
  time?.ratio ?? parametersInParts / parameters
