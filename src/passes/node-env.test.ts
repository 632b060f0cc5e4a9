import { expect, test } from 'vitest'
import { openEngine } from '../engine/node/open.js'
import { openEnv } from './node-env.js'

test('opens one engine, when first asked, and closes it', async () => {
  const env = openEnv({ seed: 7, threads: 1 })
  expect(env.seed).toBe(7)
  const [a, b] = await Promise.all([env.engine(), env.engine()])
  expect(a).toBe(b)
  expect(a.threads).toBe(1)
  await env.close()
  await expect(a.load(new Uint8Array())).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  await env.close()
})

test('an engine that was given stays open', async () => {
  const engine = await openEngine()
  const env = openEnv({ engine })
  expect(await env.engine()).toBe(engine)
  await env.close()
  await expect(engine.load(Uint8Array.of(1))).rejects.toMatchObject({ code: 'ENGINE_LOAD' })
  await engine.close()
})

test('hands warnings on, those of passes as those of the engine', () => {
  const heard: string[] = []
  openEnv({ onWarning: (message) => heard.push(message) }).onWarning?.('careful')
  expect(heard).toEqual(['careful'])
  expect(openEnv().onWarning).toBe(undefined)
})

test('an engine that cannot be opened is an error when asked for, not before', async () => {
  const env = openEnv({ device: 'tpu' })
  await expect(env.engine()).rejects.toMatchObject({ code: 'ENGINE_DEVICE' })
  await env.close()
})
