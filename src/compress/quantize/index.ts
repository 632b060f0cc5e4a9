/** `quantize`: one model, one kind, the recipe that fits. */

import type { Samples } from '../../data/samples.js'
import { drawOrTake, take } from '../../data/split.js'
import type { Feeds } from '../../engine/engine.js'
import type { Model } from '../../ir/types.js'
import { compact } from '../../passes/compact.js'
import type { Env } from '../../passes/pass.js'
import { PareError } from '../../util/errors.js'
import { resolveExcluded } from '../exclude.js'
import { prepareModel } from '../prepare.js'
import { applySteps, hasRounding, type Int8Options, recipeFor } from '../recipes.js'
import { weightsWithNaN, whyNothing } from '../why-nothing.js'
import { calibrateUnits } from './calibrate-units.js'
import { suspectOutputs } from './check.js'
import { QUANTIZE_KINDS, type QuantizeKind } from './kinds.js'
import { quantizeStatic } from './static.js'

export { calibrateUnits }

export interface QuantizeOptions extends Int8Options {
  readonly to: QuantizeKind
  /**
   * Real inputs to fix the ranges of activations with. Without them int8 is dynamic. The result is tried on a few of
   * them, and `onWarning` of the environment is told where it went far from the original.
   */
  readonly samples?: Samples
  /** Keep to operators of the ONNX standard. */
  readonly portable?: boolean
  /** Told for how many weights a rounding by samples did better, and stayed. */
  readonly report?: (message: string) => void
}

/**
 * The model with its weights, and for int8 its arithmetic, in fewer bits. The input is cleaned and brought to opset
 * 21 first; names of inputs and outputs, their types and shapes stay.
 *
 * Errors: `QUANTIZE_KIND` for an unknown kind, `QUANTIZE_NOTHING` where the model has no weights to quantize or cannot
 * be brought to the opset that the kind needs, `PARAM_INVALID` for excluded nodes that do not exist, `QUANTIZE_ROUNDING`
 * for a rounding by samples without samples, or of a kind that has no integers.
 */
export async function quantize(
  model: Model,
  { to, samples, portable = false, report, ...options }: QuantizeOptions,
  env: Env,
): Promise<Model> {
  if (!QUANTIZE_KINDS.includes(to)) {
    throw new PareError('QUANTIZE_KIND', 'there is no such kind of quantization', {
      value: to,
      remedy: `Give one of: ${QUANTIZE_KINDS.join(', ')}.`,
    })
  }
  const isSeen = (options.rounding ?? 'nearest') !== 'nearest'
  if (isSeen && (samples === undefined || !hasRounding(to))) throw noRounding(options.rounding, samples === undefined)
  const prepared = await prepareModel(model, env, { keepHalf: to === 'f16' })
  const exclude = options.exclude && resolveExcluded(options.exclude, model, prepared)
  const isRanged = samples !== undefined && to === 'int8'
  const unused = isRanged ? whyUnused(prepared, portable) : null
  if (unused !== null) env.onWarning?.(`The samples fix no ranges: ${unused}.`)
  const calibration =
    isRanged && unused === null
      ? await calibrateUnits(prepared, samples, env, (options.range ?? 'min-max') === 'min-max' ? 'range' : 'histogram')
      : undefined
  const recipe = recipeFor(to, calibration !== undefined, { ...options, ...(exclude && { exclude }) })
  const result = await applySteps(prepared, recipe.steps, {
    ...env,
    portable,
    ...(calibration && { calibration }),
    ...(isSeen && samples && { samples: drawOrTake(samples, SEEN, env.seed) }),
    ...(report && { report }),
  })
  if (result === prepared) {
    throw new PareError('QUANTIZE_NOTHING', `there is nothing to quantize to ${to}`, {
      where: 'model',
      remedy: whyNothing(prepared, recipe.steps, portable),
    })
  }
  const [broken, ...others] = weightsWithNaN(prepared)
  if (broken !== undefined) {
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    env.onWarning?.(`Weights with NaN or infinities stay as they are: ${broken}${more}.`)
  }
  const compacted = await compact.run(result, env)
  if (samples !== undefined) await checkResult(prepared, compacted, samples, env)
  return compacted
}

/** Samples that a rounding looks at, drawn from all. */
const SEEN = 256

const noRounding = (rounding: string | undefined, isUnseen: boolean): PareError =>
  new PareError(
    'QUANTIZE_ROUNDING',
    isUnseen ? 'this rounding looks at samples, and there are none' : 'this kind has no integers to round to',
    {
      value: rounding,
      remedy: isUnseen ? 'Give samples, or round to the nearest.' : 'Leave it out.',
    },
  )

/** Why samples fix no ranges, or null where they do. */
function whyUnused(prepared: Model, portable: boolean): string | null {
  const reason = quantizeStatic.refuses(prepared, { portable })
  return (
    reason && `static int8 is not possible (${reason}), so ranges are found in each run, or weights are only stored`
  )
}

/** Samples that the result is checked on. */
const CHECKED = 4

async function checkResult(prepared: Model, result: Model, samples: Samples, env: Env): Promise<void> {
  const feeds: Feeds[] = []
  const read = take(samples, CHECKED).read(env.signal ? { signal: env.signal } : {})
  for await (const sample of read) feeds.push(sample.feeds)
  const far = await suspectOutputs(prepared, result, feeds, await env.engine(), env.signal)
  if (far !== null) env.onWarning?.(far)
}
