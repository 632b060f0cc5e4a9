#!/usr/bin/env node
/** The program `pare`: signals, pipes and the exit code; `run.ts` does the rest. */

import { EXIT } from './exit.js'
import { run } from './run.js'

const controller = new AbortController()
let received: number | null = null

/** The first signal asks the work to stop, the second ends the process. */
function stop(exit: typeof EXIT.interrupted | typeof EXIT.terminated): void {
  if (received !== null) process.exit(exit)
  received = exit
  if (process.stderr.isTTY) process.stderr.write('\nstopping; press Ctrl-C again to end at once\n')
  controller.abort()
}

process.on('SIGINT', () => stop(EXIT.interrupted))
process.on('SIGTERM', () => stop(EXIT.terminated))

// A reader such as `head` that has seen enough is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok)
    throw error
  })
}

const { stdout, stderr, env } = process
const code = await run(process.argv.slice(2), { stdout, stderr, env, signal: controller.signal })
process.exitCode = received ?? code
