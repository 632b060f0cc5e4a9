/** The Web Worker of the engine: the first message says what to open, the others are requests. Started by `open.ts`. */

import { host } from '../host.js'
import { errorToWire, type FromHost, type ToHost } from '../wire.js'
import { openPlatform, type WebSpec } from './platform.js'

const send = (message: FromHost, transfer: readonly ArrayBuffer[] = []) =>
  self.postMessage(message, { transfer: transfer as ArrayBuffer[] })

self.addEventListener(
  'message',
  async ({ data }: MessageEvent<WebSpec>) => {
    try {
      const { platform, facts } = await openPlatform(data)
      const handle = host(platform, send)
      self.addEventListener('message', (event: MessageEvent<ToHost>) => handle(event.data))
      send({ ready: facts })
    } catch (error) {
      send({ refused: errorToWire(error, 'ENGINE_MISSING') })
    }
  },
  { once: true },
)
