/**
 * Prepares a model for compression: cleaned, pre-fused nodes taken apart, the standard domain in one spelling, at the
 * opset that quantization needs (per-channel 13, 4-bit types 21), or as near to it as the model can be brought. What it
 * computes stays the same, but that float16 becomes float32.
 */

import type { Model } from '../ir/types.js'
import { cleanModel } from '../passes/clean.js'
import { fuseGemm } from '../passes/fuse-gemm.js'
import { CLEANING } from '../passes/index.js'
import type { Env, Pass } from '../passes/pass.js'
import { spellStandardDomain } from '../passes/standard-domain.js'
import { unfuseConv } from '../passes/unfuse-conv.js'
import { upgradeOpset } from '../passes/upgrade-opset.js'
import { widenHalf } from './widen-half.js'

export const TARGET_OPSET = 21

export interface PrepareOptions {
  /** What is float16 stays so. */
  readonly keepHalf?: boolean
  /** What cleans. Default: all that does. */
  readonly passes?: readonly Pass[]
}

export async function prepareModel(
  model: Model,
  env: Env,
  { keepHalf = false, passes = CLEANING }: PrepareOptions = {},
): Promise<Model> {
  const spelled = spellStandardDomain(model)
  const cleaned = await cleanModel(keepHalf ? spelled : widenHalf(spelled), env, { passes })
  const plain = await unfuseConv.run(cleaned, env)
  const upgraded = await upgradeOpset(TARGET_OPSET).run(plain, env)
  return cleanModel(await fuseGemm.run(upgraded, env), env, { passes })
}
