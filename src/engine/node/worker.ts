/** The worker thread of the engine in Node: loads one runtime, then answers requests. Started by `port.ts`. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { PareError } from '../../util/errors.js'
import { host, type Platform } from '../host.js'
import { probe } from '../probe.js'
import { errorToWire, type FromHost, type HostFacts } from '../wire.js'
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

async function open({ runtime, providers, threads }: WorkerData): Promise<{ platform: Platform; facts: HostFacts }> {
  const native = runtime === 'native'
  let loaded: Runtime
  try {
    loaded = native ? await loadNative() : await loadWebAssembly(threads)
  } catch (error) {
    throw missing(error, native ? 'onnxruntime-node' : 'onnxruntime-web')
  }
  const { ort, version, backends } = loaded
  const platform: Platform = {
    ort,
    providers,
    threads,
    // The native binding aborts the whole process on a 4-bit output.
    refused: { inputs: native ? ['int4', 'uint4'] : [], outputs: ['int4', 'uint4'] },
    open: async (path) => ({ model: native ? path : await readFile(path) }),
    tick,
    profiled: native ? profiled : null,
  }
  await probe(platform, [...backends, ...(native ? ['wasm'] : [])])
  return { platform, facts: { version, threads, backends } }
}

const port = parentPort!
const send = (message: FromHost, transfer: readonly ArrayBuffer[] = []) => port.postMessage(message, transfer)
try {
  const { platform, facts } = await open(workerData as WorkerData)
  port.on('message', host(platform, send))
  send({ ready: facts })
} catch (error) {
  send({ refused: errorToWire(error, 'ENGINE_MISSING') })
}
