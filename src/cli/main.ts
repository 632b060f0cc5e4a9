#!/usr/bin/env node
/** The program `pare`: signals, pipes and the exit code; `run.ts` does the rest. */

import { EXIT } from './exit.js'
import { run } from './run.js'

const controller = new AbortController()
let received: number | null = null

/** How long work may take to stop after a signal; an operator that runs cannot be stopped inside the engine. */
const PATIENCE_MS = 15_000

/** The first signal asks the work to stop, the second ends the process. */
function stop(signal: 'SIGINT' | 'SIGTERM', exit: number): void {
  if (received !== null) end(signal)
  received = exit
  if (process.stderr.isTTY) process.stderr.write('\nstopping; press Ctrl-C again to end at once\n')
  controller.abort()
  setTimeout(() => end(signal), PATIENCE_MS).unref()
}

/** By the signal's own action: `process.exit` would wait for the engine's threads, and crash in a native run. */
function end(signal: 'SIGINT' | 'SIGTERM'): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

process.on('SIGINT', () => stop('SIGINT', EXIT.interrupted))
process.on('SIGTERM', () => stop('SIGTERM', EXIT.terminated))

// A reader such as `head` that has seen enough is no error, and does not end the work: it keeps its own exit code.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

// The engine's threads do not keep the process alive; the work in hand must.
const alive = setInterval(() => {}, 2 ** 30)
const { stdout, stderr, env } = process
const code = await run(process.argv.slice(2), { stdout, stderr, env, signal: controller.signal })
clearInterval(alive)
process.exitCode = received ?? code
