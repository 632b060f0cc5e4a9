/** Applies a recipe as a search does: the same samples are looked at, and the same bytes come out. */

import { findTransform } from '../compress/index.js'
import { applySteps } from '../compress/recipes.js'
import type { TransformEnv } from '../compress/transform.js'
import type { Samples } from '../data/samples.js'
import { cancelled } from '../engine/failures.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { compact } from '../passes/compact.js'
import type { RunOptions } from '../util/env.js'
import { needsSamples, type RecipeFile } from './recipe-file.js'
import { openWorkshop } from './workshop.js'

export interface ApplyOptions extends Omit<RunOptions, 'seed'> {
  /** The model's file, where it was read from one. */
  readonly original?: Uint8Array
  /** The samples of the search, all of them: the same half is looked at. */
  readonly samples?: Samples
  readonly threads?: number
}

/** A step of a recipe, and why the model as it was given has nothing for it; what other steps made of it may have. */
export interface AppliedStep {
  readonly transform: string
  readonly refusal?: string
}

export interface Applied {
  /** The model's file. */
  readonly bytes: Uint8Array
  readonly steps: readonly AppliedStep[]
}

/**
 * Throws `RECIPE_SAMPLES` where the recipe needs samples and there are none, and what transforms, samples and engine throw;
 * `ABORTED` once the signal fired.
 */
export async function applyRecipe(model: Model, recipe: RecipeFile, options: ApplyOptions = {}): Promise<Applied> {
  const { signal } = options
  needsSamples(recipe, options.samples !== undefined)
  try {
    const original = options.original ?? encodeModel(model).bytes
    const { seed, portable, shapes } = recipe
    const workshop = await openWorkshop(
      model,
      {
        ...options,
        original,
        seed,
        device: 'cpu',
        ...(portable !== undefined && { portable }),
        ...(shapes !== undefined && { shapes }),
      },
      options.onWarning,
    )
    try {
      const { env } = await workshop.learned()
      return await applied(workshop.prepared, recipe, env)
    } finally {
      await workshop.close()
    }
  } catch (error) {
    throw cancelled(error, signal)
  }
}

async function applied(prepared: Model, { steps }: RecipeFile, env: TransformEnv): Promise<Applied> {
  const model = await applySteps(prepared, steps, env)
  return {
    bytes: encodeModel(await compact.run(model, env)).bytes,
    steps: steps.map(({ transform }) => {
      const refusal = findTransform(transform).refuses(prepared, env)
      return { transform, ...(refusal !== null && { refusal }) }
    }),
  }
}
