/** Memory that a model takes, measured in a process of its own: nothing else can have grown there. */

import { fork } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PareError } from '../../util/errors.js'
import { writeFileAtomic } from '../../util/files.js'
import { inTempFolder } from '../../util/temp.js'
import type { EngineOptions, Feeds, ModelSource } from '../engine.js'
import { aborted } from '../failures.js'
import { errorFromWire, feedsToWire } from '../wire.js'
import { physicalCores } from './cores.js'
import type { MemoryFacts, MemoryReply, MemoryRequest } from './memory-child.js'
import { builtScript } from './port.js'

export interface ModelMemory extends MemoryFacts {
  /** Bytes above the idle runtime: after loading, and at the highest. */
  readonly loadGrowth: number
  readonly peakGrowth: number
}

export interface MemoryOptions extends Pick<EngineOptions, 'device' | 'threads'> {
  /** Default 5. */
  readonly runs?: number
  readonly signal?: AbortSignal
}

/** Loads and runs a model in a fresh process. Throws what the engine throws, `ENGINE_LOST` where the process died. */
export async function modelMemory(
  model: ModelSource,
  feeds: Feeds,
  { device = 'cpu', threads = physicalCores(), runs = 5, signal }: MemoryOptions = {},
): Promise<ModelMemory> {
  const platform = { runtime: device === 'wasm' ? 'wasm' : 'native', device, threads } as const
  return withPath(model, async (path) => {
    const facts = await inChild({ platform, path, feeds: feedsToWire(feeds), runs }, signal)
    return { ...facts, loadGrowth: facts.loaded - facts.idle, peakGrowth: facts.peak - facts.idle }
  })
}

/** The child reads a file, so that a copy of the model on its way there is not measured with it. */
async function withPath<T>(model: ModelSource, use: (path: string) => Promise<T>): Promise<T> {
  if (!(model instanceof Uint8Array)) return use(resolve(model.path))
  return inTempFolder('memory', async (folder) => {
    const path = join(folder, 'model.onnx')
    await writeFileAtomic(path, model)
    return use(path)
  })
}

function inChild(request: MemoryRequest, signal: AbortSignal | undefined): Promise<MemoryFacts> {
  return new Promise((done, fail) => {
    if (signal?.aborted) return fail(aborted(signal.reason))
    const child = fork(fileURLToPath(builtScript('memory-child.js')), { serialization: 'advanced', execArgv: [] })
    const onAbort = () => {
      child.kill('SIGKILL')
      fail(aborted(signal?.reason))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    child.once('message', (reply: MemoryReply) =>
      'facts' in reply ? done(reply.facts) : fail(errorFromWire(reply.error)),
    )
    // Twice where the process cannot be started: of the start, and of the request that then reaches nobody.
    child.on('error', (error) => {
      signal?.removeEventListener('abort', onAbort)
      fail(error)
    })
    child.once('exit', (code, by) => {
      signal?.removeEventListener('abort', onAbort)
      fail(
        new PareError('ENGINE_LOST', `the process that measured memory died (${by ?? `code ${code}`})`, {
          remedy: 'The model may need more memory than there is.',
        }),
      )
    })
    child.send(request)
  })
}
