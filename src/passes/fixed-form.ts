/**
 * A model with the sizes that were asked for, where the engine takes it so. Its shape inference may fail on fixed sizes
 * inside a branch that these sizes never take, and refuse a model that it loads and runs with the same sizes left open.
 */

import type { Engine } from '../engine/engine.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { messageOf, PareError } from '../util/errors.js'
import { type InputShapes, withShapes } from './with-shapes.js'

export interface FixedFormOptions {
  readonly signal?: AbortSignal
  /** Told where the sizes stay open. */
  readonly onWarning?: (message: string) => void
}

/**
 * The model with these sizes fixed; the model as it was where the engine loads it so and not otherwise. Then what runs
 * it fixes its inputs alone: see `fixInputs`. Errors as for `withShapes`, and the engine's.
 */
export async function fixedForm(
  model: Model,
  shapes: InputShapes,
  engine: () => Promise<Engine>,
  { signal, onWarning }: FixedFormOptions = {},
): Promise<Model> {
  const fixed = withShapes(model, shapes)
  if (fixed === model) return model
  const refusal = await refusalOf(fixed, await engine(), signal)
  if (refusal === null || (await refusalOf(model, await engine(), signal)) !== null) return fixed
  onWarning?.(
    `The engine does not load the model with these sizes fixed, so they stay open in what is made of it: ${causeOf(refusal)}`,
  )
  return model
}

/** Why the engine does not load it; null where it does, or cannot be asked because the model is too large for one piece. */
async function refusalOf(model: Model, engine: Engine, signal: AbortSignal | undefined): Promise<PareError | null> {
  try {
    const session = await engine.load(encodeModel(model).bytes, signal ? { signal } : {})
    await session.close()
    return null
  } catch (error) {
    if (!(error instanceof PareError)) throw error
    if (error.code === 'MODEL_SIZE') return null
    if (error.code === 'ENGINE_LOAD') return error
    throw error
  }
}

const causeOf = ({ cause, message }: PareError): string => (cause === undefined ? message : messageOf(cause))
