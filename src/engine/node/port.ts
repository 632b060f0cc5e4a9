/** Starts what the engine computes in: a worker thread, or a process of its own. */

import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { PareError } from '../../util/errors.js'
import type { Port } from '../link.js'
import { END } from '../wire.js'
import type { PlatformSpec } from './platform.js'

/** A script of this folder as built: beside this file in the package, in `dist` when this runs from sources. */
export function builtScript(name: string): URL {
  const fromSource = import.meta.url.endsWith('.ts')
  const url = new URL(fromSource ? `../../../dist/engine/node/${name}` : name, import.meta.url)
  if (fromSource && !existsSync(url)) {
    throw new PareError('ENGINE_NOT_BUILT', 'the engine runs in a worker, and that is not built', {
      where: fileURLToPath(url),
      remedy: 'Run `npm run build` first.',
    })
  }
  return url
}

export function startThread(data: PlatformSpec): Port {
  const worker = new Worker(builtScript('worker.js'), { workerData: data, name: 'pare engine', execArgv: [] })
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  let ending = false
  return {
    post: (message, transfer) => worker.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (handler) => worker.on('message', handler),
    onFailure: (handler) => {
      worker.on('error', handler)
      worker.on('messageerror', handler)
      worker.on('exit', (code) => {
        if (!ending) handler(new Error(`the worker ended with code ${code}`))
      })
    },
    hold(alive) {
      if (alive) worker.ref()
      else if (!ending) worker.unref()
    },
    async terminate() {
      ending = true
      if (data.runtime === 'wasm') {
        await worker.terminate()
        return
      }
      // A thread that is ended inside the native runtime takes the whole process with it: let it come back first.
      worker.ref()
      worker.postMessage(END)
      await exited
    },
  }
}

/** Ends at once when it is told to, whatever it is at, and within a second of the process that started it. */
export function startProcess(spec: PlatformSpec): Port {
  const child = fork(builtScript('worker.js'), [JSON.stringify(spec)], {
    serialization: 'advanced',
    execArgv: [],
    // What reads our output must not wait for its end.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let ending = false
  return {
    post: (message) => void child.send(message),
    onMessage: (handler) => child.on('message', handler),
    onFailure: (handler) => {
      child.on('error', handler)
      child.on('exit', (code, signal) => {
        if (!ending) handler(new Error(`the process ended with ${signal ?? `code ${code}`}`))
      })
    },
    hold(alive) {
      if (ending) return
      const change = alive ? 'ref' : 'unref'
      child[change]()
      child.channel?.[change]()
    },
    async terminate() {
      ending = true
      child.ref()
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await exited
    },
  }
}
