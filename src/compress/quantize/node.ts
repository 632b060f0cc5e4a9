/** `quantize` in Node, where an engine can be opened on the way. */

import type { Model } from '../../ir/types.js'
import { openEnv } from '../../passes/node-env.js'
import type { Env } from '../../passes/pass.js'
import { type QuantizeOptions, quantize as quantizeWith } from './index.js'

/** As `quantize`, but opens an engine for itself, and closes it, where no environment is given. */
export async function quantize(model: Model, options: QuantizeOptions, env?: Env): Promise<Model> {
  if (env !== undefined) return quantizeWith(model, options, env)
  const own = openEnv()
  try {
    return await quantizeWith(model, options, own)
  } finally {
    await own.close()
  }
}
