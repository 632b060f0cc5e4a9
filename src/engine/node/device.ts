/** Devices beside the CPU depend on drivers that print what they like, and may crash: they are tried apart, first. */

import { fork } from 'node:child_process'
import { platform } from 'node:os'
import { fileURLToPath } from 'node:url'
import { PareError } from '../../util/errors.js'
import { errorFromWire } from '../wire.js'
import type { DeviceReply } from './device-child.js'
import type { PlatformSpec } from './platform.js'
import { builtScript } from './port.js'

/**
 * Opens the device in a process of its own. Throws what opening it throws, with what the driver printed where it does
 * not work, and `ENGINE_DEVICE` where it takes the process with it.
 */
export function tryDevice(spec: PlatformSpec): Promise<void> {
  return new Promise((done, fail) => {
    const script = fileURLToPath(builtScript('device-child.js'))
    const child = fork(script, { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    let printed = ''
    let reply: DeviceReply | null = null
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
    child.once('message', (message: DeviceReply) => {
      reply = message
      // Nothing of a driver's own may keep it.
      child.kill('SIGKILL')
    })
    child.on('error', fail)
    // After the streams have ended, so that all that was printed is there.
    child.once('close', (code, signal) => {
      if (reply === null) return fail(crashed(spec.device, signal ?? `code ${code}`))
      if (reply.refused === null) return done()
      fail(withPrinted(errorFromWire(reply.refused), spec.device, printed))
    })
    child.send(spec)
  })
}

const crashed = (device: string, how: string): PareError =>
  new PareError('ENGINE_DEVICE', `the device does not work here: trying it ended the process (${how})`, {
    value: device,
    remedy: remedyFor(device),
  })

/** The same error with the driver's first line, and with what gets this device to work. */
function withPrinted(error: PareError, device: string, printed: string): PareError {
  if (error.code !== 'ENGINE_DEVICE' || !error.what.startsWith('the device')) return error
  const line = printed.split('\n').find((text) => text.trim() !== '')
  const hint = line === undefined ? '' : ` (${line.replace(/^Warning: /, '').trim()})`
  return new PareError(error.code, `${error.what}${hint}`, { ...error.detail, remedy: remedyFor(device) })
}

const OTHERWISE = 'Or use device cpu.'

const VULKAN = 'install a Vulkan loader and the driver of the GPU (Debian and Ubuntu: apt install libvulkan1)'

const LIBRARIES =
  'npm install onnxruntime-node@1 --onnxruntime-node-install=cuda12 gets the GPU libraries of the engine'

/** What makes a device work that the runtime lists. */
export function remedyFor(device: string, system: string = platform()): string {
  switch (device) {
    case 'webgpu':
      return system === 'linux'
        ? `It needs a GPU; ${VULKAN}. ${OTHERWISE}`
        : `It needs a GPU with a current driver. ${OTHERWISE}`
    case 'cuda':
      return `It needs an NVIDIA GPU with CUDA 12 and cuDNN 9; ${LIBRARIES}. ${OTHERWISE}`
    case 'tensorrt':
      return `It needs an NVIDIA GPU with CUDA 12, cuDNN 9 and TensorRT 10; ${LIBRARIES}. ${OTHERWISE}`
    default:
      return `It needs its hardware and driver. ${OTHERWISE}`
  }
}
