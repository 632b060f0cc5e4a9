/** The worker thread of the engine in Node: loads one runtime, then answers requests. Started by `port.ts`. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { PareError } from '../../util/errors.js'
import { host, type Platform } from '../host.js'
import { errorToWire, type FromHost, type ToHost } from '../wire.js'
import { loadNative, type Runtime } from './ort-node.js'
import { loadWebAssembly } from './ort-web.js'

export interface WorkerData {
  readonly runtime: 'native' | 'wasm'
  readonly providers: readonly string[]
  readonly threads: number
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A profile goes to a folder of its own, which is gone afterwards. */
const profiled: Platform['profiled'] = async (use) => {
  const folder = await mkdtemp(join(tmpdir(), 'pare-profile-'))
  try {
    await use({ enableProfiling: true, profileFilePrefix: join(folder, 'p') })
    const file = (await readdir(folder))[0]
    return file === undefined ? '[]' : await readFile(join(folder, file), 'utf8')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const missing = (cause: unknown, name: string) =>
  new PareError('ENGINE_MISSING', `${name} cannot be loaded`, {
    remedy: 'Install it: `npm install pare --onnxruntime-node-install=skip`.',
    cause,
  })

async function start({ runtime, providers, threads }: WorkerData): Promise<void> {
  const port = parentPort!
  const send = (message: FromHost, transfer: readonly ArrayBuffer[] = []) => port.postMessage(message, transfer)
  let loaded: Runtime
  try {
    loaded = runtime === 'native' ? await loadNative() : await loadWebAssembly(threads)
  } catch (error) {
    send({ refused: errorToWire(missing(error, runtime === 'native' ? 'onnxruntime-node' : 'onnxruntime-web')) })
    return
  }
  const platform: Platform = {
    ort: loaded.ort,
    providers,
    threads,
    open: async (path) => ({ model: runtime === 'native' ? path : await readFile(path) }),
    tick,
    profiled: runtime === 'native' ? profiled : null,
  }
  const handle = host(platform, send)
  port.on('message', (message: ToHost) => handle(message))
  send({ ready: { version: loaded.version, threads, backends: loaded.backends } })
}

await start(workerData as WorkerData)
