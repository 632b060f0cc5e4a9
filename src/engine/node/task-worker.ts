/** A thread that runs tasks of this package, one at a time. Started by `tasks.ts`. */

import { parentPort } from 'node:worker_threads'
import { errorToWire } from '../wire.js'
import type { TaskAnswer, TaskCall } from './tasks.js'

const port = parentPort!
const answer = (message: TaskAnswer): void => port.postMessage(message)

port.on('message', async ({ id, module, input }: TaskCall) => {
  try {
    const { run } = await import(new URL(`../../${module}`, import.meta.url).href)
    answer({ id, output: await run(input) })
  } catch (error) {
    answer({ id, error: errorToWire(error, 'ENGINE_TASK') })
  }
})
