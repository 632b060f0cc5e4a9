/**
 * The process in which a device is tried before it is opened: what its driver prints stays away from the terminal, and
 * one that crashes takes nothing with it. Started by `device.ts`.
 */

import { errorToWire, type WireError } from '../wire.js'
import { openPlatform, type PlatformSpec } from './platform.js'

export type DeviceReply = { readonly refused: WireError | null }

process.once('message', async (spec: PlatformSpec) => {
  let reply: DeviceReply = { refused: null }
  try {
    await openPlatform(spec)
  } catch (error) {
    reply = { refused: errorToWire(error, 'ENGINE_MISSING') }
  }
  process.send!(reply, () => process.disconnect())
})
