/** Opens the engine in Node: the native runtime, or WebAssembly where that is not installed or asked for. */

import { messageOf, PareError } from '../../util/errors.js'
import type { Engine, EngineOptions } from '../engine.js'
import { connect, type Port } from '../link.js'
import { remoteEngine } from '../remote.js'
import { physicalCores } from './cores.js'
import { tryDevice } from './device.js'
import { INSTALL_NATIVE } from './ort-node.js'
import type { PlatformSpec } from './platform.js'
import { startProcess, startThread } from './port.js'
import { taskThreads } from './tasks.js'

export interface NodeEngineOptions extends EngineOptions {
  /**
   * In a process of its own, not a thread: a crash or an endless run ends that process alone, and `close` need not wait
   * for a run to be over. What goes in and out is copied through a pipe. Default false.
   */
  readonly isolated?: boolean
}

/**
 * Opens an engine whose work runs in a worker thread. `cpu` (the default) is the native runtime, or WebAssembly with a
 * warning where onnxruntime-node is not installed; `wasm` is always WebAssembly; any other device is one that the
 * native runtime lists. An engine that is not closed does not keep the process alive.
 *
 * Cancelling: a call whose signal fires rejects at once with `ABORTED`. A run that has begun cannot be stopped inside
 * the runtime; if the thread is not back after ten seconds it is given up, its sessions reject with `ENGINE_LOST`, and
 * the engine starts anew at the next `load`. A process does not end, and `close` does not return, before a
 * native run that has begun is over: ending the thread inside it would abort the process (and `process.exit` does; the
 * default action of a signal is safe).
 *
 * Throws `ENGINE_MISSING` (no runtime), `ENGINE_DEVICE` (unknown device, or one that does not work here).
 */
export async function openEngine({
  device = 'cpu',
  threads = physicalCores(),
  isolated = false,
  onWarning = () => {},
}: NodeEngineOptions = {}): Promise<Engine> {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new PareError('ENGINE_THREADS', 'the number of threads must be a whole number above 0', {
      value: threads,
      remedy: 'Leave it out to use the physical cores.',
    })
  }
  const begin = isolated ? startProcess : startThread
  if (device === 'wasm') return webAssembly(threads, begin)
  const spec: PlatformSpec = { runtime: 'native', device, threads }
  const start = () => connect(begin(spec))
  if (device !== 'cpu') await tryDevice(spec)
  try {
    return remoteEngine({ name: 'onnxruntime-node', device, start, ...beside(threads) }, await start())
  } catch (error) {
    if (device !== 'cpu' || !(error instanceof PareError && error.code === 'ENGINE_MISSING')) throw error
    const cause = messageOf(error.detail.cause).split('\n')[0]
    onWarning(
      `The native engine is not there (${cause}), so WebAssembly takes over: several times slower. To get it: ${INSTALL_NATIVE}`,
    )
    return webAssembly(threads, begin)
  }
}

async function webAssembly(threads: number, begin: (spec: PlatformSpec) => Port): Promise<Engine> {
  const spec: PlatformSpec = { runtime: 'wasm', device: 'wasm', threads }
  const start = () => connect(begin(spec))
  return remoteEngine({ name: 'onnxruntime-web', device: 'wasm', start, ...beside(threads) }, await start())
}

/** The caller's thread is one of them. */
const beside = (threads: number) => (threads > 1 ? { tasks: taskThreads(threads - 1) } : {})
