/** `factorize` in Node, where an engine can be opened on the way. */

import type { Model } from '../../ir/types.js'
import { openEnv } from '../../passes/node-env.js'
import type { Env } from '../../passes/pass.js'
import { type Factorized, type FactorizeOptions, factorize as factorizeWith } from './index.js'

/** As `factorize`, but opens an engine for itself, and closes it, where no environment is given. */
export async function factorize(model: Model, options: FactorizeOptions, env?: Env): Promise<Factorized> {
  if (env !== undefined) return factorizeWith(model, options, env)
  const own = openEnv()
  try {
    return await factorizeWith(model, options, own)
  } finally {
    await own.close()
  }
}
