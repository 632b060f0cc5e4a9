/** A pass maps a model to a model. It returns the same object where nothing changed. */

import type { Engine } from '../engine/engine.js'
import type { Model } from '../ir/types.js'
import type { RunOptions } from '../util/env.js'

export interface Env extends RunOptions {
  /** Opened when first asked for, so that passes that only rearrange a graph need no engine. */
  engine(): Promise<Engine>
}

export interface Pass {
  /** Kebab-case, as in `pare inspect --passes`. */
  readonly name: string
  /** Preserves the outputs, is idempotent, and never makes the file larger (but for what the format demands). */
  run(model: Model, env: Env): Promise<Model>
}
