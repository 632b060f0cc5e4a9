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

test('gives all items in order, the next being made while one is worked on', async () => {
  const log: string[] = []
  for await (const i of readAhead(source(3, log))) {
    await new Promise((done) => setTimeout(done, 1))
    log.push(`used ${i}`)
  }
  expect(log).toEqual(['made 0', 'made 1', 'used 0', 'made 2', 'used 1', 'closed', 'used 2'])
})

test('an error comes where its item would be, after all before it', async () => {
  const seen: number[] = []
  const read = async () => {
    for await (const i of readAhead(source(3, [], 2))) seen.push(i)
  }
  await expect(read()).rejects.toThrow('item 2')
  expect(seen).toEqual([0, 1])
})

test('who stops early closes the source, and an error ahead is nobody’s', async () => {
  const log: string[] = []
  for await (const _ of readAhead(source(3, log, 1))) break
  expect(log).toEqual(['made 0', 'closed'])
})
