/** The worker thread of the engine in Node: loads one runtime, then answers requests. Started by `port.ts`. */

import { parentPort, workerData } from 'node:worker_threads'
import { host } from '../host.js'
import { END, errorToWire, type FromHost, type ToHost } from '../wire.js'
import { openPlatform, type PlatformSpec } from './platform.js'

const port = parentPort!
const send = (message: FromHost, transfer: readonly ArrayBuffer[] = []) => port.postMessage(message, transfer)
try {
  const { platform, facts } = await openPlatform(workerData as PlatformSpec)
  const handle = host(platform, send)
  port.on('message', (message: ToHost | typeof END) => (message === END ? process.exit() : handle(message)))
  send({ ready: facts })
} catch (error) {
  send({ refused: errorToWire(error, 'ENGINE_MISSING') })
}
