/** The process whose memory is measured: loads one model, runs it, and tells what that took. Started by `memory.ts`. */

import { readFileSync, writeFileSync } from 'node:fs'
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

/**
 * The highest resident set size in bytes. `maxRSS` (in kilobytes on every platform) is not enough on Linux: there it
 * starts from the size of the process that this one was forked from, and the kernel's own mark can be reset.
 */
function peak(): number {
  const mark = /^VmHWM:\s*(\d+) kB/m.exec(statusOfProcess())?.[1]
  return 1024 * (mark === undefined ? process.resourceUsage().maxRSS : Number(mark))
}

function statusOfProcess(): string {
  try {
    return readFileSync('/proc/self/status', 'utf8')
  } catch {
    return ''
  }
}

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
