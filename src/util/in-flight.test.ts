import { expect, test } from 'vitest'
import { inFlight } from './in-flight.js'

test('so many are under way while the next is made ready, and all are waited for', async () => {
  const done: number[] = []
  const ends: (() => void)[] = []
  const task = (k: number): Promise<void> =>
    new Promise<void>((resolve) => {
      ends.push(() => {
        done.push(k)
        resolve()
      })
    })
  const tasks = inFlight(1)
  await tasks.push(task(0))
  let isFree = false
  const second = tasks.push(task(1)).then(() => {
    isFree = true
  })
  await Promise.resolve()
  expect(isFree).toBe(false)
  ends[0]!()
  await second
  const all = tasks.end()
  ends[1]!()
  await all
  expect(done).toEqual([0, 1])
})

test('what fails is told to whoever waits next, and to nobody before', async () => {
  const tasks = inFlight(1)
  await tasks.push(Promise.reject(new Error('lost')))
  await new Promise((resolve) => setImmediate(resolve))
  await expect(tasks.push(Promise.resolve())).rejects.toThrow('lost')
  await tasks.end()
})
