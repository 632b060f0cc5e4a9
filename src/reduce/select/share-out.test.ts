/** What one thread waits for of the others, and what it does not. */

import { expect, test } from 'vitest'
import type { Tasks } from '../../util/tasks.js'
import { shareOut, type Turns, type Work } from './share-out.js'

const SQUARES: Work<object, number> = {
  name: 'squares',
  task: { module: 'none.js' },
  of: () => (item) => item * item,
}

/** A thread that never answers; `begins` says what it does before. */
const silent = (begins: (turns: Turns) => void): { tasks: Tasks } => ({
  tasks: {
    threads: 1,
    run: (_, input) => {
      begins(input as Turns)
      return new Promise(() => {})
    },
  },
})

test('threads that never began are not waited for', async () => {
  expect(await shareOut(SQUARES, {}, 5, { engine: silent(() => {}) })).toEqual([0, 1, 4, 9, 16])
})

test('what a thread has taken is waited for, and a cancellation is heard then', async () => {
  const controller = new AbortController()
  const engine = silent(({ next }) => Atomics.add(next, 0, 1))
  const found = shareOut(SQUARES, {}, 5, { engine, signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 20)
  await expect(found).rejects.toThrow('enough')
})

test('all of it is there, whoever did it', async () => {
  const tasks: Tasks = {
    threads: 1,
    run: async (_, input) => {
      const item = Atomics.add((input as Turns).next, 0, 1)
      return [{ item, output: item * item }] as never
    },
  }
  expect(await shareOut(SQUARES, {}, 5, { engine: { tasks } })).toEqual([0, 1, 4, 9, 16])
})
