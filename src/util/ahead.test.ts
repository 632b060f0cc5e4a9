import { expect, test } from 'vitest'
import { readAhead } from './ahead.js'

/** Numbers up to `count`, and what happened in which order. */
function source(count: number, log: string[], fails = Number.NaN) {
  return (async function* () {
    try {
      for (let i = 0; i < count; i++) {
        if (i === fails) throw new Error(`item ${i}`)
        log.push(`made ${i}`)
        yield i
      }
    } finally {
      log.push('closed')
    }
  })()
}

const soon = (): Promise<void> => new Promise((done) => setTimeout(done, 1))

test('gives all items in order, and makes the next one when told to, while this one is worked on', async () => {
  const log: string[] = []
  const items = readAhead(source(2, log))
  for (let item = await items.take(); !item.done; item = await items.take()) {
    log.push(`began ${item.value}`)
    items.begin()
    await soon()
    log.push(`ended ${item.value}`)
  }
  await items.close()
  expect(log).toEqual(['made 0', 'began 0', 'made 1', 'ended 0', 'began 1', 'closed', 'ended 1'])
  expect((await items.take()).done).toBe(true)
})

test('an error comes where its item would be, after all before it', async () => {
  const items = readAhead(source(3, [], 2))
  const seen: unknown[] = []
  const read = async () => {
    for (;;) {
      seen.push((await items.take()).value)
      items.begin()
      await soon()
    }
  }
  await expect(read()).rejects.toThrow('item 2')
  expect(seen).toEqual([0, 1])
})

test('who stops early closes the source; an error ahead is nobody’s', async () => {
  const log: string[] = []
  const items = readAhead(source(3, log, 1))
  await items.take()
  items.begin()
  await items.close()
  await soon()
  expect(log).toEqual(['made 0', 'closed'])
})

test('closing does not wait for an item that never comes', async () => {
  const items = readAhead(
    (async function* () {
      yield 0
      await new Promise(() => {})
    })(),
  )
  await items.take()
  items.begin()
  await items.close()
})
