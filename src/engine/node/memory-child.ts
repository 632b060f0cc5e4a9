/** The process whose memory is measured: loads one model, runs it, and tells what that took. Started by `memory.ts`. */

import { writeFileSync } from 'node:fs'
import { loadModel } from '../host.js'
import { errorToWire, type WireError, type WireFeeds } from '../wire.js'
import { openPlatform, type PlatformSpec } from './platform.js'

export interface MemoryRequest {
  readonly platform: PlatformSpec
  readonly path: string
  readonly feeds: WireFeeds
  readonly runs: number
}

/** Resident set sizes in bytes. */
export interface MemoryFacts {
  /** With the runtime loaded and no model. */
  readonly idle: number
  readonly loaded: number
  readonly peak: number
  readonly loadMs: number
}

export type MemoryReply = { readonly facts: MemoryFacts } | { readonly error: WireError }

/** Forgets the peak of start-up where the system can (Linux), so that a small model's own does not hide below it. */
function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // The peak of start-up stays: growth is then a lower bound for models smaller than it.
  }
}

/** `maxRSS` is in kilobytes on every platform. */
const peak = () => process.resourceUsage().maxRSS * 1024

async function measure({ platform: spec, path, feeds, runs }: MemoryRequest): Promise<MemoryFacts> {
  const { platform } = await openPlatform(spec)
  forgetPeak()
  const idle = process.memoryUsage.rss()
  const start = performance.now()
  const model = await loadModel(platform, { path })
  const loadMs = performance.now() - start
  const loaded = process.memoryUsage.rss()
  for (let i = 0; i < runs; i++) await model.run(feeds)
  return { idle, loaded, peak: Math.max(peak(), loaded), loadMs }
}

process.once('message', async (request: MemoryRequest) => {
  let reply: MemoryReply
  try {
    reply = { facts: await measure(request) }
  } catch (error) {
    reply = { error: errorToWire(error) }
  }
  process.send!(reply, () => process.disconnect())
})
