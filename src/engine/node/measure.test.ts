import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linearModel, loopFeeds, loopModel, sequenceModel } from '../../../test/small-models.js'
import { f32 } from '../../ir/tensor.js'
import type { Engine } from '../engine.js'
import { summary } from '../timing.js'
import { modelMemory } from './memory.js'
import { openEngine } from './open.js'

const feedsOf = (width: number) => [1, 2].map((k) => ({ x: f32([1, width], new Float32Array(width).fill(k)) }))
// Other tests leave and take their own in the folder that all share.
const temporary = mkdtempSync(join(tmpdir(), 'pare-measure-'))
process.env.TMPDIR = temporary
afterAll(() => rmSync(temporary, { recursive: true, force: true }))
const leftovers = () => readdirSync(tmpdir()).filter((name) => /^pare-(profile|graph|memory)-/.test(name))

describe.each(['cpu', 'wasm'])('measuring on %s', (device) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await openEngine({ device, threads: 1 })
  })
  afterAll(() => engine.close())

  test('a model with ten thousand times the work takes longer, in as many rounds', async () => {
    const models = [loopModel(64, 2), loopModel(64, 20_000)]
    const [small, large] = await engine.measure(models, [loopFeeds(0)], { rounds: 12 })
    expect(small!.runs).toHaveLength(12)
    expect(large!.runs).toHaveLength(12)
    expect(small!.loadMs).toBeGreaterThan(0)
    expect(summary(small!.runs).min).toBeGreaterThan(0)
    expect(summary(large!.runs).p50).toBeGreaterThan(summary(small!.runs).p50)
  })

  test('keeps to the budget, but measures five rounds', async () => {
    // A million rounds would outlast the test.
    const [timing] = await engine.measure([loopModel()], [loopFeeds(2000)], { rounds: 1e6, budgetMs: 200 })
    expect(timing!.runs.length).toBeGreaterThanOrEqual(5)
    const [short] = await engine.measure([loopModel()], [loopFeeds(1)], { rounds: 1e6, budgetMs: 0 })
    expect(short!.runs).toHaveLength(5)
  })

  test('a model that lacks an unused input is measured on the same feeds; one that lacks a feed says so', async () => {
    const both = { x: f32([1, 4], [1, 2, 3, 4]), unused: f32([1], [1]) }
    expect(await engine.measure([linearModel(4, 2)], [both], { rounds: 5 })).toHaveLength(1)
    await expect(engine.measure([loopModel()], [both])).rejects.toMatchObject({ code: 'ENGINE_FEEDS' })
    await expect(engine.measure([linearModel(4, 2)], [])).rejects.toMatchObject({ code: 'ENGINE_FEEDS' })
    expect(await engine.measure([], [both])).toEqual([])
  })

  test('outputs that cannot be fetched are left out', async () => {
    expect(await engine.measure([sequenceModel()], [{ x: f32([2], [1, 2]) }], { rounds: 5 })).toHaveLength(1)
  })

  /** A measurement that outlasts the test unless it is cancelled. */
  const endless = (signal: AbortSignal) =>
    engine.measure([loopModel()], [loopFeeds(2000)], { rounds: 1e6, budgetMs: 600_000, signal })

  test('stops when cancelled, and measures again', async () => {
    const controller = new AbortController()
    const long = endless(controller.signal)
    setTimeout(() => controller.abort(), 100)
    await expect(long).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await engine.measure([linearModel(2, 2)], feedsOf(2), { rounds: 5 })).toHaveLength(1)
  })

  test('measuring does not stand in the way of running', async () => {
    const session = await engine.load(linearModel(2, 2))
    const controller = new AbortController()
    const measuring = expect(endless(controller.signal)).rejects.toMatchObject({ code: 'ABORTED' })
    expect((await session.run(feedsOf(2)[0]!)).y!.shape).toEqual([1, 2])
    controller.abort()
    await measuring
  })
})

describe('profiling', () => {
  test('gives the time of each node, and leaves no files behind', async () => {
    const before = leftovers()
    const engine = await openEngine({ threads: 1 })
    const start = performance.now()
    const nodes = await engine.profile(linearModel(64, 4096), feedsOf(64)[0]!, { runs: 5 })
    expect(nodes).toEqual([{ name: 'linear', op: 'Gemm', ms: expect.any(Number) }])
    expect(nodes[0]!.ms).toBeGreaterThan(0)
    // Five runs of it fit into the time that the whole took.
    expect(5 * nodes[0]!.ms).toBeLessThan(performance.now() - start)
    await expect(engine.profile(linearModel(64, 8), {})).rejects.toMatchObject({ code: 'ENGINE_FEEDS' })
    await engine.close()
    expect(leftovers()).toEqual(before)
  })

  test('nodes inside a Loop are one entry for all its rounds', async () => {
    const engine = await openEngine({ threads: 1 })
    const profile = await engine.profile(loopModel(4096), loopFeeds(200, 4096), { runs: 3 })
    const sine = profile.filter(({ op }) => op === 'Sin')
    expect(sine).toHaveLength(1)
    expect(sine[0]!.ms).toBeGreaterThan(0)
    await engine.close()
  })

  test('is empty where the runtime cannot tell', async () => {
    const engine = await openEngine({ device: 'wasm' })
    expect(await engine.profile(linearModel(2, 2), feedsOf(2)[0]!)).toEqual([])
    await engine.close()
  })
})

describe('memory', () => {
  test('grows with the weights of the model', async () => {
    const before = leftovers()
    const x = { x: f32([1, 1024], new Float32Array(1024)) }
    const megabytes = 1024 * 4096 * 4
    const small = await modelMemory(linearModel(1024, 1), x, { runs: 2 })
    const large = await modelMemory(linearModel(1024, 4096), x, { runs: 2 })
    expect(large.peakGrowth - small.peakGrowth).toBeGreaterThan(0.9 * megabytes)
    expect(large.peakGrowth).toBeLessThan(8 * megabytes)
    expect(large.peak).toBeGreaterThanOrEqual(large.loaded)
    expect(large.loadMs).toBeGreaterThan(0)
    expect(leftovers()).toEqual(before)
  })

  test('errors of the engine come through, and it can be cancelled', async () => {
    await expect(modelMemory(linearModel(4, 2), {})).rejects.toMatchObject({ code: 'ENGINE_FEEDS' })
    await expect(modelMemory({ path: '/nowhere.onnx' }, {})).rejects.toMatchObject({ code: 'ENGINE_LOAD' })
    const signal = AbortSignal.timeout(20)
    await expect(modelMemory(linearModel(4, 2), {}, { signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
