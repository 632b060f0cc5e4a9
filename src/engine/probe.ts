/** A first run, on the smallest model: proves that a device computes before anything depends on it. */

import { messageOf, PareError } from '../util/errors.js'
import { createSession, type Platform } from './host.js'

/** y = Relu(x), x float32[1], opset 14. */
const MODEL = 'CAc6MwoMCgF4EgF5IgRSZWx1EgFwWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQDg=='

/** Throws `ENGINE_DEVICE` where the runtime does not list the device (`backends`) or the device does not compute. */
export async function probe(platform: Platform, backends: readonly string[]): Promise<void> {
  const device = platform.providers[0] ?? 'cpu'
  if (!backends.includes(device)) {
    throw new PareError('ENGINE_DEVICE', 'the installed engine has no such device', {
      value: device,
      remedy: `It has ${backends.join(', ')}.`,
    })
  }
  try {
    const bytes = Uint8Array.from(atob(MODEL), (c) => c.charCodeAt(0))
    const session = await createSession(platform, { bytes }, {})
    const { y } = await session.run({ x: platform.ort.createTensor('float32', Float32Array.of(3), [1]) }, ['y'])
    const value = Number(y?.data[0])
    await session.release()
    if (value !== 3) throw new Error(`Relu(3) gave ${value}`)
  } catch (error) {
    const cause = error instanceof PareError ? error.detail.cause : error
    throw new PareError('ENGINE_DEVICE', `the device does not work here: ${brief(cause)}`, {
      value: device,
      remedy: `Use device cpu, or see \`pare doctor\`.`,
      cause,
    })
  }
}

/** The end of a runtime's message is what a person can use; source paths come before it. */
const brief = (error: unknown): string =>
  messageOf(error)
    .trim()
    .split('\n')[0]!
    .replace(/^\/\S+:\d+ .*(?:was false|<lambda\(\)>)\W*/, '')
    .replace(/^OrtSessionOptionsAppendExecutionProvider\w*: /, '')
