import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { connect, type Port } from './link.js'

/** Real threads that misbehave as an engine's thread might. */
function port(body: string, options: { resourceLimits?: { maxOldGenerationSizeMb: number } } = {}) {
  const worker = new Worker(`const { parentPort: p } = require('node:worker_threads')\n${body}`, {
    eval: true,
    ...options,
  })
  let ending = false
  const made: Port & { readonly ended: Promise<number> } = {
    ended: new Promise((resolve) => worker.on('exit', resolve)),
    post: (message, transfer) => worker.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (handler) => worker.on('message', handler),
    onFailure: (handler) => {
      worker.on('error', handler)
      worker.on('exit', (code) => {
        if (!ending) handler(new Error(`ended with ${code}`))
      })
    },
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
    async terminate() {
      ending = true
      await worker.terminate()
    },
  }
  return made
}

const READY = "p.postMessage({ ready: { version: '1', threads: 1, backends: [] } })"
const REQUEST = { kind: 'release', session: 1 } as const

describe('no call hangs', () => {
  test('a thread that exits before it is ready', async () => {
    await expect(connect(port('process.exit(3)'))).rejects.toMatchObject({ code: 'ENGINE_START' })
  })

  test('a thread that throws before it is ready', async () => {
    await expect(connect(port('throw new Error("broken")'))).rejects.toMatchObject({
      code: 'ENGINE_START',
      cause: expect.objectContaining({ message: 'broken' }),
    })
  })

  test('a thread that dies in the middle of a call', async () => {
    const link = await connect(port(`${READY}; p.on('message', () => process.exit(1))`))
    await expect(Promise.all([link.call(REQUEST), link.call(REQUEST)])).rejects.toMatchObject({ code: 'ENGINE_LOST' })
    expect(link.isAlive()).toBe(false)
    await expect(link.call(REQUEST)).rejects.toMatchObject({ code: 'ENGINE_LOST' })
  })

  test('a call whose signal has fired is not made', async () => {
    const link = await connect(port(`${READY}; p.on('message', ({ id }) => p.postMessage({ id, reply: null }))`))
    await expect(link.call(REQUEST, [], AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await link.call(REQUEST)).toBe(null)
    await link.close()
  })

  test('a thread that runs out of memory', async () => {
    const eats = `${READY}; p.on('message', () => { const all = []; for (;;) all.push(new Array(1e5).fill(all.length)) })`
    const link = await connect(port(eats, { resourceLimits: { maxOldGenerationSizeMb: 16 } }))
    await expect(link.call(REQUEST)).rejects.toMatchObject({
      code: 'ENGINE_LOST',
      message: expect.stringMatching(/died/),
    })
  })

  test('a thread that does not come back after its call was cancelled is ended, and the others that wait are told', async () => {
    const stuck = port(`${READY}; p.on('message', () => { for (;;); })`)
    const link = await connect(stuck, 100)
    const controller = new AbortController()
    const first = link.call(REQUEST, [], controller.signal)
    const second = expect(link.call(REQUEST)).rejects.toMatchObject({ code: 'ENGINE_LOST' })
    controller.abort()
    await expect(first).rejects.toMatchObject({ code: 'ABORTED' })
    expect(link.isAlive()).toBe(true)
    await second
    expect(link.isAlive()).toBe(false)
    await stuck.ended
  })

  test('a cancelled call behind another one does not end the thread', async () => {
    const slow = `${READY}; p.on('message', (m) => { if (m.id) setTimeout(() => p.postMessage({ id: m.id, reply: null }), m.id === 1 ? 300 : 0) })`
    const link = await connect(port(slow), 100)
    const first = link.call(REQUEST)
    const controller = new AbortController()
    const second = link.call(REQUEST, [], controller.signal)
    controller.abort()
    await expect(second).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await first).toBeNull()
    expect(link.isAlive()).toBe(true)
    await link.close()
  })

  test('closing rejects what waits', async () => {
    const link = await connect(port(`${READY}; p.on('message', () => {})`))
    const waiting = expect(link.call(REQUEST)).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await link.close()
    await waiting
  })
})
