/** What computes for the engine in Node: loads one runtime, then answers requests. Started by `port.ts`. */

import { parentPort, Worker, workerData } from 'node:worker_threads'
import { host } from '../host.js'
import { END, errorToWire, type FromHost, type ToHost } from '../wire.js'
import { openPlatform, type PlatformSpec } from './platform.js'

type Message = ToHost | typeof END

interface Parent {
  readonly spec: PlatformSpec
  send(message: FromHost, transfer?: readonly ArrayBuffer[]): void
  onMessage(handler: (message: Message) => void): void
}

function parentThread(port: NonNullable<typeof parentPort>): Parent {
  return {
    spec: workerData,
    send: (message, transfer = []) => port.postMessage(message, transfer),
    onMessage: (handler) => port.on('message', handler),
  }
}

function parentProcess(): Parent {
  process.on('disconnect', () => process.exit())
  new Worker(new URL('watch-parent.js', import.meta.url)).unref()
  // A terminal interrupts the whole group: what becomes of this process is for the one that started it to say.
  process.on('SIGINT', () => {})
  return {
    spec: JSON.parse(process.argv[2]!),
    // Nobody is there to hear of it where the other end is gone.
    send: (message) => process.send!(message, undefined, undefined, (error) => error && process.exit()),
    onMessage: (handler) => process.on('message', handler),
  }
}

const { spec, send, onMessage } = parentPort === null ? parentProcess() : parentThread(parentPort)
try {
  const { platform, facts } = await openPlatform(spec)
  const handle = host(platform, send)
  onMessage((message) => (message === END ? process.exit() : handle(message)))
  send({ ready: facts })
} catch (error) {
  send({ refused: errorToWire(error, 'ENGINE_MISSING') })
}
