import { afterEach, expect, test } from 'vitest'
import type { Task } from '../../util/tasks.js'
import { type TaskThreads, taskThreads } from './tasks.js'

/** It asks more of its input than it gets. */
const FOLDS: Task<{ readonly recipe: null }, unknown> = { module: 'linear/fold-task.js' }
const MISSING: Task<null, null> = { module: 'linear/nothing.js' }

let threads: TaskThreads
afterEach(() => threads.close())

test('what a task throws comes back with its code or cause, and the thread goes on', async () => {
  threads = taskThreads(1)
  await expect(threads.run(MISSING, null)).rejects.toMatchObject({ code: 'ENGINE_TASK' })
  await expect(threads.run(FOLDS, { recipe: null })).rejects.toMatchObject({ code: 'ENGINE_TASK' })
  await expect(threads.run(MISSING, null)).rejects.toThrow('nothing.js')
})

test('a closed engine takes no more', async () => {
  threads = taskThreads(2)
  await threads.close()
  await expect(threads.run(MISSING, null)).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
})

test('what waits for a thread while the engine is closed hears of it', async () => {
  threads = taskThreads(1)
  const waiting = threads.run(MISSING, null).catch((error) => error)
  await threads.close()
  expect((await waiting).code).toBe('ENGINE_CLOSED')
})
