/** What the engine's host runs on in Node: a runtime, files and temporary folders. */

import { existsSync } from 'node:fs'
import { readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { PareError } from '../../util/errors.js'
import { inTempFolder } from '../../util/temp.js'
import type { Platform } from '../host.js'
import { probe } from '../probe.js'
import type { HostFacts, WireModel } from '../wire.js'
import { externalFiles, refuseExternal } from './external.js'
import { INSTALL_NATIVE, loadNative, type Runtime } from './ort-node.js'
import { INSTALL_WEB, loadWebAssembly } from './ort-web.js'

/** Which runtime on which device; plain data, for a worker or another process. */
export interface PlatformSpec {
  readonly runtime: 'native' | 'wasm'
  readonly device: string
  readonly threads: number
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A profile goes to a folder of its own, which is gone afterwards. */
const profiled: Platform['profiled'] = (use) =>
  inTempFolder('profile', async (folder) => {
    await use({ enableProfiling: true, profileFilePrefix: join(folder, 'p') })
    const file = (await readdir(folder))[0]
    return file === undefined ? '[]' : readFile(join(folder, file), 'utf8')
  })

/** The native runtime opens files itself, larger ones than fit an array; WebAssembly has no file system. */
async function open(native: boolean, model: WireModel): ReturnType<Platform['open']> {
  if ('bytes' in model) {
    await refuseExternal(model.bytes)
    return { model: model.bytes }
  }
  return native ? { model: await besideItsData(model.path) } : externalFiles(model.path)
}

/** Weights that `writeModel` wrote through a link lie beside the file itself, where the native runtime does not look. */
async function besideItsData(path: string): Promise<string> {
  const file = await realpath(path).catch(() => path)
  return existsSync(`${file}.data`) ? file : path
}

/**
 * Loads the runtime and proves that the device computes. Throws `ENGINE_MISSING` where the runtime is not installed,
 * `ENGINE_DEVICE` where it has no such device or that does not work here.
 */
export async function openPlatform({ runtime, device, threads }: PlatformSpec) {
  const native = runtime === 'native'
  let loaded: Runtime
  try {
    loaded = native ? await loadNative() : await loadWebAssembly(threads)
  } catch (cause) {
    throw new PareError('ENGINE_MISSING', `${native ? 'onnxruntime-node' : 'onnxruntime-web'} cannot be loaded`, {
      remedy: `Install it: \`${native ? INSTALL_NATIVE : INSTALL_WEB}\`.`,
      cause,
    })
  }
  const { ort, version, backends } = loaded
  const platform: Platform = {
    ort,
    providers: [device],
    threads,
    // The native binding aborts the whole process on a 4-bit output.
    refused: { inputs: native ? ['int4', 'uint4'] : [], outputs: ['int4', 'uint4'] },
    open: (model) => open(native, model),
    tick,
    profiled: native ? profiled : null,
  }
  await probe(platform, [...backends, ...(native ? ['wasm'] : [])])
  const facts: HostFacts = { version, threads, backends }
  return { platform, facts }
}
