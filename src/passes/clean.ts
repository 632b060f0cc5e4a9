/** Cleaning a model: the passes that make it simpler without changing what it computes, until none finds anything. */

import { throwIfAborted } from '../engine/failures.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { PareError } from '../util/errors.js'
import { CLEANING } from './index.js'
import type { Env, Pass } from './pass.js'

export interface CleanOptions {
  /** In this order. Default: `CLEANING`. */
  readonly passes?: readonly Pass[]
  /** Keep inputs that have a default as inputs: their constants can then be neither folded nor quantized. */
  readonly keepDefaults?: boolean
}

/** One pass makes room for another; real models settle in two or three rounds. */
const MAX_ROUNDS = 8

/**
 * The model, simpler: same outputs, never more bytes when written, and the same object where there was nothing to do.
 * Inputs with a default become constants unless `keepDefaults` is set. Throws `ABORTED`, and what the engine throws.
 */
export async function cleanModel(
  model: Model,
  env: Env,
  { passes = CLEANING, keepDefaults = false }: CleanOptions = {},
): Promise<Model> {
  const list = passes.filter((pass) => !(keepDefaults && pass.name === 'freeze-defaults'))
  let current = model
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const before = current
    for (const [i, pass] of list.entries()) {
      await turn()
      throwIfAborted(env.signal)
      env.onProgress?.({ task: `cleaning: ${pass.name}`, done: i, total: list.length })
      current = await pass.run(current, env)
    }
    if (current === before) break
  }
  return current === model || isLarger(current, model) ? model : current
}

/** Passes compute without a pause: between them, timers and signals get their turn. */
const turn = () => new Promise((resolve) => setTimeout(resolve))

const isLarger = (a: Model, b: Model): boolean => totalBytes(a) > totalBytes(b)

/** Bytes of the model and its weights; a model beyond 2 GB, which no file can hold, is measured with its weights apart. */
function totalBytes(model: Model): number {
  try {
    return encodeModel(model).byteLength
  } catch (error) {
    if (!(error instanceof PareError && error.code === 'MODEL_SIZE')) throw error
    const { byteLength, external } = encodeModel(model, { external: { location: 'weights' } })
    return external.reduce((n, file) => n + file.byteLength, byteLength)
  }
}
