/** The environment of passes in Node: one engine, opened when first asked for. */

import type { Engine, EngineOptions } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import type { RunOptions } from '../util/env.js'
import type { Env } from './pass.js'

export interface EnvOptions extends RunOptions, EngineOptions {
  /** An engine that is open already: it is used as it is, and `close` leaves it open. */
  readonly engine?: Engine
}

export interface NodeEnv extends Env {
  /** Closes the engine if this environment opened one. */
  close(): Promise<void>
}

export function openEnv({ engine: given, device, threads, onWarning, ...run }: EnvOptions = {}): NodeEnv {
  let opened: Promise<Engine> | null = null
  const options = {
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
    ...(onWarning === undefined ? {} : { onWarning }),
  }
  return {
    ...run,
    ...(onWarning === undefined ? {} : { onWarning }),
    async engine() {
      if (given) return given
      opened ??= openEngine(options)
      return opened
    },
    async close() {
      const own = opened
      opened = null
      await own?.then(
        (engine) => engine.close(),
        () => {},
      )
    },
  }
}
