import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { linearModel } from '../../test/small-models.js'
import { f32 } from '../ir/tensor.js'
import { connect, type Link, type Port } from './link.js'
import { startThread } from './node/port.js'
import { remoteEngine } from './remote.js'

/** A thread that is ready, and dies of its first request. */
function mortal(): Promise<Link> {
  const worker = new Worker(
    `const { parentPort: p } = require('node:worker_threads')
     p.postMessage({ ready: { version: '1', threads: 1, backends: [] } })
     p.on('message', () => process.exit(1))`,
    { eval: true },
  )
  const port: Port = {
    post: (message) => worker.postMessage(message),
    onMessage: (handler) => worker.on('message', handler),
    onFailure: (handler) => worker.on('exit', handler),
    hold: () => {},
    terminate: async () => {
      await worker.terminate()
    },
  }
  return connect(port)
}

/** Loads at once, and never comes back from a run. */
function stuck(): Promise<Link> {
  const worker = new Worker(
    `const { parentPort: p } = require('node:worker_threads')
     p.postMessage({ ready: { version: '1', threads: 1, backends: [] } })
     const reply = { session: 1, inputs: [], outputs: [{ name: 'y', dtype: 'float32', shape: [] }] }
     p.on('message', ({ id, request }) => {
       while (request?.kind === 'run');
       if (id) p.postMessage({ id, reply })
     })`,
    { eval: true },
  )
  const port: Port = {
    post: (message) => worker.postMessage(message),
    onMessage: (handler) => worker.on('message', handler),
    onFailure: () => {},
    hold: () => {},
    terminate: async () => {
      await worker.terminate()
    },
  }
  return connect(port)
}

test('closing a session does not wait for a run that was cancelled and goes on', async () => {
  const start = () => Promise.reject(new Error('one thread is enough'))
  const engine = remoteEngine({ name: 'onnxruntime-node', device: 'cpu', start }, await stuck())
  const session = await engine.load(linearModel(2, 2))
  const controller = new AbortController()
  const run = session.run({}, { signal: controller.signal })
  const other = session.run({}).catch((error) => error.code)
  controller.abort()
  await expect(run).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await Promise.race([session.close().then(() => 'closed'), other])).toBe('closed')
  await engine.close()
  expect(await other).toBe('ENGINE_CLOSED')
})

test('an engine whose thread died says so, and goes on with a new one', async () => {
  let starts = 0
  const start = () => {
    starts++
    return connect(startThread({ runtime: 'native', device: 'cpu', threads: 1 }))
  }
  const engine = remoteEngine({ name: 'onnxruntime-node', device: 'cpu', start }, await mortal())
  const feeds = { x: f32([1, 2], [1, 2]) }
  await expect(engine.load(linearModel(2, 2))).rejects.toMatchObject({ code: 'ENGINE_LOST' })
  const [session] = await Promise.all([engine.load(linearModel(2, 2)), engine.load(linearModel(2, 2))])
  expect((await session.run(feeds)).y!.shape).toEqual([1, 2])
  expect(starts, 'one thread for both').toBe(1)

  await Promise.all([1, 2, 3].map(() => engine.measure([linearModel(2, 2)], [feeds], { rounds: 5 })))
  expect(starts, 'one more to measure in').toBe(2)
  await engine.close()
  await expect(engine.load(linearModel(2, 2))).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
})
