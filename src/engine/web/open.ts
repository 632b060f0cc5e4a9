/** Opens the engine in a browser: WebAssembly or WebGPU, in a Web Worker where one can be started. */

import { PareError } from '../../util/errors.js'
import type { Engine, EngineOptions } from '../engine.js'
import { host } from '../host.js'
import { connect, type Port } from '../link.js'
import { remoteEngine } from '../remote.js'
import { errorToWire, type FromHost } from '../wire.js'
import { openPlatform, type WebSpec } from './platform.js'

export interface WebEngineOptions extends EngineOptions {
  /** URL of the folder with the files of onnxruntime-web (`ort-wasm-….wasm` and `.mjs`). Default: beside the script. */
  readonly assets?: string
  /** Starts `engine/web/worker.js` where a bundler has put it elsewhere; `false` computes in the page. */
  readonly worker?: (() => Worker) | false
}

/**
 * `cpu` (the default) and `wasm` are WebAssembly, `webgpu` the browser's GPU. Threads need a cross-origin isolated page
 * (headers COOP `same-origin` and COEP `require-corp`); elsewhere it is one thread, and `threads` says so. Without a
 * worker the page stands still while the engine computes; `onWarning` is told.
 *
 * Throws `ENGINE_DEVICE` for a device that does not exist or work here, `ENGINE_MISSING` where the runtime's files are
 * not served.
 */
export async function openEngine(options: WebEngineOptions = {}): Promise<Engine> {
  const { device = 'cpu', threads = defaultThreads(), assets, worker = ownWorker, onWarning = () => {} } = options
  if (!isWebDevice(device)) {
    throw new PareError('ENGINE_DEVICE', 'a browser has no such device', {
      value: device,
      remedy: 'It has wasm and webgpu.',
    })
  }
  const isolated = globalThis.crossOriginIsolated === true
  if (!isolated && (options.threads ?? 1) > 1) {
    onWarning(
      'The page is not cross-origin isolated, so the engine uses one thread. Serve it with COOP and COEP headers.',
    )
  }
  const base = assets === undefined ? {} : { assets: new URL(assets, globalThis.location?.href).href }
  const spec: WebSpec = { device: device === 'cpu' ? 'wasm' : device, threads: isolated ? threads : 1, ...base }
  const common = { name: 'onnxruntime-web', device: spec.device } as const
  if (worker !== false) {
    try {
      const start = () => connect(workerPort(worker, spec))
      return remoteEngine({ ...common, start }, await start())
    } catch (error) {
      if (error instanceof PareError && error.code !== 'ENGINE_START') throw error
      onWarning(
        'The worker of the engine could not be started, so the page computes by itself and stands still meanwhile.',
      )
    }
  }
  const start = () => connect(pagePort(spec))
  return remoteEngine({ ...common, start, oneThread: true }, await start())
}

const isWebDevice = (device: string): device is 'cpu' | WebSpec['device'] => ['cpu', 'wasm', 'webgpu'].includes(device)

/** Physical cores cannot be asked for: half of the logical ones, at most four as the runtime's own default. */
function defaultThreads(): number {
  return Math.min(4, Math.max(1, Math.ceil((globalThis.navigator?.hardwareConcurrency ?? 1) / 2)))
}

const ownWorker = () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'pare engine' })

function workerPort(make: () => Worker, spec: WebSpec): Port {
  let worker: Worker
  try {
    worker = make()
  } catch (cause) {
    throw new PareError('ENGINE_START', 'a worker could not be started', {
      remedy: 'Check the URL of the worker.',
      cause,
    })
  }
  worker.postMessage(spec)
  return {
    post: (message, transfer) => worker.postMessage(message, { transfer: transfer as ArrayBuffer[] }),
    onMessage: (handler) => worker.addEventListener('message', ({ data }: MessageEvent<FromHost>) => handler(data)),
    onFailure: (handler) => {
      worker.addEventListener('error', (event) => {
        event.preventDefault()
        handler(new Error(event.message ?? 'the script of the worker did not load'))
      })
      worker.addEventListener('messageerror', () => handler(new Error('a message could not be read')))
    },
    hold: () => {},
    terminate: async () => worker.terminate(),
  }
}

/** No thread of its own: the same messages, handled in the page. */
function pagePort(spec: WebSpec): Port {
  let handle: ReturnType<typeof host> | null = null
  return {
    post: (message) => handle?.(message),
    onMessage: (handler) => {
      openPlatform(spec).then(
        ({ platform, facts }) => {
          handle = host(platform, handler)
          handler({ ready: facts })
        },
        (error: unknown) => handler({ refused: errorToWire(error, 'ENGINE_MISSING') }),
      )
    },
    onFailure: () => {},
    hold: () => {},
    terminate: async () => {
      handle = null
    },
  }
}
