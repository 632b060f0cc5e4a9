/** What the engine's host runs on in a browser: one runtime, and models by URL. */

import { PareError } from '../../util/errors.js'
import type { Platform } from '../host.js'
import { probe } from '../probe.js'
import type { HostFacts, WireModel } from '../wire.js'
import { loadRuntime, type WebRuntime } from './ort.js'

/** Plain data, for a Web Worker. */
export interface WebSpec {
  readonly device: 'wasm' | 'webgpu'
  readonly threads: number
  readonly assets?: string
}

/** A message to oneself comes after those that have arrived; a timer would wait for milliseconds. */
function tick(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}

async function open(model: WireModel): ReturnType<Platform['open']> {
  if ('bytes' in model) return { model: model.bytes }
  const response = await fetch(model.path)
  if (!response.ok) throw new Error(`cannot open ${model.path}: ${response.status} ${response.statusText}`)
  return { model: new Uint8Array(await response.arrayBuffer()) }
}

/** Throws `ENGINE_MISSING` where the runtime's files are not served, `ENGINE_DEVICE` where the device does not compute. */
export async function openPlatform({ device, threads, assets }: WebSpec) {
  let loaded: WebRuntime
  try {
    loaded = await loadRuntime(device, threads, assets)
  } catch (cause) {
    throw new PareError('ENGINE_MISSING', 'onnxruntime-web cannot be loaded', {
      remedy: 'Serve its files beside the script, or give their folder as `assets`.',
      cause,
    })
  }
  const { ort, version } = loaded
  const platform: Platform = {
    ort,
    providers: [device],
    threads,
    refused: { inputs: [], outputs: ['int4', 'uint4'] },
    open,
    tick,
    profiled: null,
  }
  const backends = ['gpu' in navigator ? ['webgpu', 'wasm'] : ['wasm']].flat()
  await probe(platform, backends)
  const facts: HostFacts = { version, threads, backends }
  return { platform, facts }
}
