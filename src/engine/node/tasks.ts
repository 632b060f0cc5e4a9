/** Threads for tasks of this package, each started when there is first something for it, and kept until the end. */

import { Worker } from 'node:worker_threads'
import { messageOf, PareError } from '../../util/errors.js'
import type { Task, Tasks } from '../../util/tasks.js'
import { errorFromWire, type WireError } from '../wire.js'
import { builtScript } from './port.js'

export interface TaskCall {
  readonly id: number
  readonly module: string
  readonly input: unknown
}

export type TaskAnswer =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: WireError }

export interface TaskThreads extends Tasks {
  close(): Promise<void>
}

interface Waiting {
  readonly resolve: (output: never) => void
  readonly reject: (error: unknown) => void
}

interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, Waiting>
}

export function taskThreads(threads: number): TaskThreads {
  const running: Thread[] = []
  let nextId = 1
  let closed = false

  const start = (): Thread => {
    const worker = new Worker(builtScript('task-worker.js'), { name: 'pare task', execArgv: [] })
    const thread: Thread = { worker, waiting: new Map() }
    worker.unref()
    worker.on('message', (message: TaskAnswer) => {
      const call = thread.waiting.get(message.id)
      thread.waiting.delete(message.id)
      if (thread.waiting.size === 0) worker.unref()
      if ('error' in message) call?.reject(errorFromWire(message.error))
      else call?.resolve(message.output as never)
    })
    const lose = (why: unknown): void => {
      const at = running.indexOf(thread)
      if (at >= 0) running.splice(at, 1)
      for (const { reject } of thread.waiting.values()) reject(closed ? isClosed() : lost(why))
      thread.waiting.clear()
    }
    worker.on('error', lose)
    worker.on('exit', (code) => lose(`it ended with code ${code}`))
    running.push(thread)
    return thread
  }

  const idlest = (): Thread => {
    const [least] = running.toSorted((a, b) => a.waiting.size - b.waiting.size)
    return least === undefined || (least.waiting.size > 0 && running.length < threads) ? start() : least
  }

  return {
    threads,
    async run<Input, Output>({ module }: Task<Input, Output>, input: Input): Promise<Output> {
      if (closed) throw isClosed()
      const { worker, waiting } = idlest()
      const id = nextId++
      return new Promise<Output>((resolve, reject) => {
        worker.postMessage({ id, module, input } satisfies TaskCall)
        waiting.set(id, { resolve, reject })
        worker.ref()
      })
    },
    async close() {
      closed = true
      await Promise.all(running.map(({ worker }) => worker.terminate()))
    },
  }
}

const isClosed = (): PareError => new PareError('ENGINE_CLOSED', 'the engine is closed', { remedy: 'Open it again.' })

const lost = (why: unknown): PareError =>
  new PareError('ENGINE_LOST', `a thread was lost: ${messageOf(why)}`, { remedy: 'Try again.', cause: why })
